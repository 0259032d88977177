package level_test

import (
	"testing"

	"stoa/marathon/level"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]level.Level{
		"": level.Present, "0.8": level.V0_8, "0.11.1": level.Of(0, 11, 1), "1.1": level.V1_1, "v1.4.13": level.Of(1, 4, 13),
		"1.9.81": level.Of(1, 9, 81), "1.10": level.V1_10, "1.10.26": level.Of(1, 10, 26),
	} {
		if got, err := level.Parse(text); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"1", "0.7", "1.11", "2.0", "1.4.", "1.x", "-1.4", "1.4.13.1", "1.70000", "latest"} {
		if got, err := level.Parse(text); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func TestBefore(t *testing.T) {
	if level.Present.Before(level.V0_8) || !level.V0_8.Before(level.V0_11) || level.V1_10.Before(level.V1_9) || !level.V1_9.Before(level.Jackson) {
		t.Error("releases are out of order")
	}
}
