package resources_test

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"stoa/internal/mesos/resources"
)

func quantities(t *testing.T, text string) resources.Quantities {
	t.Helper()
	q, err := resources.ParseQuantities(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func limits(t *testing.T, text string) resources.Limits {
	t.Helper()
	l, err := resources.ParseLimits(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestQuantitiesText(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "{}",
		"mem:2;cpus:1":          "cpus:1; mem:2",
		" mem : 2 ;cpus:1":      "cpus:1; mem:2",
		"cpus:1;cpus:0.5;mem:0": "cpus:1.5",
	} {
		if got := quantities(t, text).String(); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"cpus":        "Failed to parse 'cpus': missing or extra ':'",
		"cpus:{}}":    "Failed to parse '{}}' to quantity: Mismatched brackets",
		"ports:[1-2]": "Failed to parse '[1-2]' to quantity: only scalar values are allowed",
	} {
		if _, err := resources.ParseQuantities(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	if got := limits(t, "mem:0;cpus:1").String(); got != "cpus:1; mem:0" {
		t.Error(got)
	}
	if _, err := resources.ParseLimits("cpus:1;cpus:2"); err == nil || err.Error() != "Failed to parse '2' to limit: duplicate names are not allowed" {
		t.Error(err)
	}
}

func TestQuantitiesOfResourcesCountEverything(t *testing.T) {
	rs := parse(t, "cpus:1;cpus(ads):0.5;ports:[1-5,10-10];zones:{a,b}")
	if got := rs.Quantities().String(); got != "cpus:1.5; ports:6; zones:2" {
		t.Error(got)
	}
	if got := rs.ScalarQuantities().String(); got != "cpus:1.5" {
		t.Error(got)
	}
	if !rs.ContainsQuantities(quantities(t, "cpus:1.5;ports:6")) || rs.ContainsQuantities(quantities(t, "cpus:1.501")) {
		t.Error("amounts count")
	}
}

var someQuantities = rapid.Custom(func(t *rapid.T) resources.Quantities {
	amounts := rapid.MapOfN(rapid.SampledFrom([]string{"cpus", "mem", "disk", "gpus"}), rapid.Int64Range(-5, 5000), 0, 4).Draw(t, "amounts")
	thousandths := make(map[string]resources.Scalar)
	for name, amount := range amounts {
		thousandths[name] = resources.Scalar(amount)
	}
	return resources.QuantitiesOf(thousandths)
})

func TestQuantitiesAddAndSubtractByName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := someQuantities.Draw(t, "a"), someQuantities.Draw(t, "b")
		sum, rest := a.Add(b), a.Subtract(b)
		subset := true
		for _, name := range []string{"cpus", "mem", "disk", "gpus"} {
			if sum.Get(name) != a.Get(name)+b.Get(name) {
				t.Fatalf("%v + %v = %v", a, b, sum)
			}
			if rest.Get(name) != max(a.Get(name)-b.Get(name), 0) {
				t.Fatalf("%v - %v = %v", a, b, rest)
			}
			subset = subset && a.Get(name) >= b.Get(name)
		}
		if a.Contains(b) != subset {
			t.Fatalf("%v contains %v: %v", a, b, a.Contains(b))
		}
		if !sum.Subtract(b).Equal(a) {
			t.Fatalf("%v + %v - %v = %v", a, b, b, sum.Subtract(b))
		}
	})
}

func TestLimitsBoundOnlyWhatTheyName(t *testing.T) {
	l := limits(t, "cpus:2;gpus:0")
	for text, want := range map[string]bool{"cpus:2;mem:1000": true, "cpus:2.001": false, "gpus:0.001": false, "": true} {
		if got := l.Allows(quantities(t, text)); got != want {
			t.Errorf("%v allows %s: %v", l, text, got)
		}
	}
	if got := l.Subtract(quantities(t, "cpus:5;mem:1")).String(); got != "cpus:0; gpus:0" {
		t.Error(got)
	}
	if !(resources.Limits{}).Contains(l) || l.Contains(resources.Limits{}) || !l.Contains(limits(t, "cpus:1;gpus:0;mem:1")) {
		t.Error("no bound is above every bound")
	}
}

func TestShrinkingKeepsWithinTheTarget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs, target := someScalars.Draw(t, "resources"), someQuantities.Draw(t, "target")
		shuffle := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)).Shuffle
		got := rs.ShrinkToQuantities(target, shuffle)
		if !rs.Contains(got) {
			t.Fatalf("%v is no part of %v", got, rs)
		}
		for name := range rs.Quantities().All() {
			have, _ := rs.Scalar(name)
			left, _ := got.Scalar(name)
			if left != min(have, target.Get(name)) {
				t.Fatalf("%v shrunk to %v is %v", rs, target, got)
			}
		}
	})
}

func TestShrinkingToLimitsKeepsWhatIsNotLimited(t *testing.T) {
	rs := parse(t, "cpus:4;cpus(ads):4;mem:10;ports:[1-2]")
	if got := rs.ShrinkToLimits(limits(t, "cpus:5"), nil).String(); got != "cpus:4; cpus(reservations: [(STATIC,ads)]):1; mem:10; ports:[1-2]" {
		t.Error(got)
	}
	if got := rs.ShrinkToLimits(limits(t, "cpus:0;mem:20"), nil).String(); got != "mem:10; ports:[1-2]" {
		t.Error(got)
	}
	if got := rs.ShrinkToLimits(resources.Limits{}, nil); !got.Equal(rs) {
		t.Error(got)
	}
}
