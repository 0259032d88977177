package timestamp

import "testing"

func TestTimestampsOnTheWire(t *testing.T) {
	for text, want := range map[string]string{
		"2021-02-03T04:05:06.007Z": "2021-02-03T04:05:06.007Z", "2021-02-03T04:05:06Z": "2021-02-03T04:05:06.000Z",
		"2021-02-03T05:05:06.0079+01:00": "2021-02-03T04:05:06.007Z", "2021-02-03T05:05:06.5+0100": "2021-02-03T04:05:06.500Z",
		"2021-02-03T05:05+01:00": "2021-02-03T04:05:00.000Z", "1969-12-31T23:59:59.999Z": "1969-12-31T23:59:59.999Z",
	} {
		got, err := Parse(text)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "2021-02-03", "2021-02-03T04:05:06", "2021-02-30T04:05:06Z", "1612325106007"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%s was read as %v", text, got)
		}
	}
}
