package resources_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"stoa/internal/mesos/resources"
)

func TestScalarsAreExactThousandths(t *testing.T) {
	if got := (resources.ScalarOf(0.1).Plus(resources.ScalarOf(0.2))).Float(); got != 0.3 {
		t.Errorf("0.1 + 0.2 = %v", got)
	}
	for value, want := range map[float64]resources.Scalar{
		0: 0, 1: 1000, 0.0004: 0, 0.0005: 1, 1.0005: 1001, 0.1: 100, -0.0005: -1, 2.999: 2999,
		math.Inf(1): math.MinInt64, math.NaN(): math.MinInt64, 1e16: math.MinInt64,
	} {
		if got := resources.ScalarOf(value); got != want {
			t.Errorf("ScalarOf(%v) = %d, want %d", value, got, want)
		}
	}
}

func TestScalarTextDropsTrailingZeros(t *testing.T) {
	for value, want := range map[resources.Scalar]string{
		0: "0", 100: "0.1", 120: "0.12", 123: "0.123", 1000: "1", 1001: "1.001", 32000: "32", -1500: "-1.5", -1: "-0.001",
		1_000_000_000_000_000_000: "1e+15", 123_456_789_012_345_678: "123456789012346",
		1_234_567_890_123_456_789: "1.23456789012346e+15",
	} {
		if got := value.String(); got != want {
			t.Errorf("String(%d) = %q, want %q", int64(value), got, want)
		}
	}
}

func TestScalarSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := resources.Scalar(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "thousandths"))
		if got := resources.ScalarOf(s.Float()); got != s {
			t.Fatalf("%d became %d", int64(s), int64(got))
		}
	})
}

func TestScalarSumsNeverOverflow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := resources.Scalar(rapid.Int64().Draw(t, "a"))
		b := resources.Scalar(rapid.Int64().Draw(t, "b"))
		sum, diff := a.Plus(b), a.Minus(b)
		if (b >= 0) != (sum >= a) && sum != a {
			t.Fatalf("%d + %d = %d", a, b, sum)
		}
		if (b >= 0) != (diff <= a) && diff != a {
			t.Fatalf("%d - %d = %d", a, b, diff)
		}
	})
}
