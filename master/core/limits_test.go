package core

import (
	"strings"
	"testing"
	"time"
)

// Agents that fall silent together become unreachable one after the other.
func TestRemovalIsRateLimited(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.AgentRemovalInterval = 10 * time.Minute })
	var ids []string
	for n := 1; n <= 4; n++ {
		ids = append(ids, w.addAgent(n, small))
	}
	w.advance(75 * time.Second)
	if len(w.c.unreachable) != 1 {
		t.Fatalf("%d agents unreachable after the pings", len(w.c.unreachable))
	}
	w.advance(9 * time.Minute)
	if len(w.c.unreachable) != 1 {
		t.Fatalf("%d agents unreachable before the interval", len(w.c.unreachable))
	}
	// The next in line answers: it stays, and the one behind it has its turn.
	w.step(Pong{Observer: w.numbers[pidOf(2)]})
	w.advance(2*time.Minute, pidOf(2))
	if w.c.registered[ids[1]] == nil || w.c.unreachable[ids[2]] == nil || w.c.registered[ids[3]] == nil {
		t.Fatalf("unreachable: %v", sortedKeys(w.c.unreachable))
	}
	w.advance(9*time.Minute, pidOf(2))
	if w.c.unreachable[ids[3]] == nil || w.c.registered[ids[1]] == nil {
		t.Fatalf("unreachable: %v", sortedKeys(w.c.unreachable))
	}
	n := w.c.Counters()
	if n["master/slave_unreachable_scheduled"] != 4 || n["master/slave_unreachable_completed"] != 3 || n["master/slave_unreachable_canceled"] != 1 {
		t.Errorf("scheduled %v, completed %v, canceled %v", n["master/slave_unreachable_scheduled"], n["master/slave_unreachable_completed"], n["master/slave_unreachable_canceled"])
	}
	// Long after, the next goes at once.
	w.advance(time.Hour, pidOf(2))
	w.advance(95 * time.Second)
	if len(w.c.unreachable) != 4 {
		t.Errorf("unreachable: %v", sortedKeys(w.c.unreachable))
	}
}

func TestRemovalOfDisconnectedAgentsIsRateLimited(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.AgentRemovalInterval = 10 * time.Minute })
	agents := []string{w.addAgent(1, small), w.addAgent(2, small), w.addAgent(3, small)}
	for n := 1; n <= 3; n++ {
		w.step(PeerExited{PID: pidOf(n)})
	}
	w.advance(10*time.Minute, pidOf(1), pidOf(2), pidOf(3)) // they answer pings only
	if len(w.c.unreachable) != 1 {
		t.Fatalf("unreachable: %v", sortedKeys(w.c.unreachable))
	}
	w.reregister(2, reregistration(2, agents[1], small, nil))
	w.advance(10*time.Minute, pidOf(1), pidOf(2), pidOf(3))
	w.advance(10*time.Minute, pidOf(1), pidOf(2), pidOf(3))
	if w.c.registered[agents[1]] == nil || len(w.c.unreachable) != 2 {
		t.Errorf("unreachable: %v", sortedKeys(w.c.unreachable))
	}
}

func TestRemovalAfterFailoverIsRateLimited(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for n := 1; n <= 3; n++ {
		ids = append(ids, w.addAgent(n, small))
	}
	w = w.failover(func(c *Config) { c.AgentRemovalInterval = time.Minute })
	w.advance(10 * time.Minute)
	if len(w.c.unreachable) != 1 || len(w.c.recovered) != 2 {
		t.Fatalf("unreachable: %v", sortedKeys(w.c.unreachable))
	}
	w.reregister(2, reregistration(2, ids[1], small, nil))
	w.advance(3*time.Minute, pidOf(2))
	if len(w.c.unreachable) != 2 || w.c.registered[ids[1]] == nil {
		t.Errorf("unreachable: %v", sortedKeys(w.c.unreachable))
	}
	if n := w.c.Counters(); n["master/recovery_slave_removals"] != 2 || n["master/slave_unreachable_canceled"] != 1 {
		t.Errorf("%v recovery removals, %v canceled", n["master/recovery_slave_removals"], n["master/slave_unreachable_canceled"])
	}
}

func TestTooManyAgentsMissingAfterFailover(t *testing.T) {
	for _, one := range []struct {
		limit float64
		back  int // of 4
		ends  bool
	}{
		{0, 0, false}, // the default, 100%
		{0.5, 2, false},
		{0.5, 1, true},
		{-1, 3, true}, // 0%
		{-1, 4, false},
	} {
		w := newWorld(t)
		var ids []string
		for n := 1; n <= 4; n++ {
			ids = append(ids, w.addAgent(n, small))
		}
		w = w.failover(func(c *Config) { c.RecoveryAgentRemovalLimit = one.limit })
		var back []string
		for n := 1; n <= one.back; n++ {
			w.reregister(n, reregistration(n, ids[n-1], small, nil))
			back = append(back, pidOf(n))
		}
		w.advance(10*time.Minute, back...)
		if (w.aborted != nil) != one.ends {
			t.Errorf("limit %v with %d of 4 back: %v", one.limit, one.back, w.aborted)
		}
		if w.aborted != nil && (!strings.HasPrefix(w.aborted.Error(), "Post-recovery agent removal limit exceeded! After 10mins there were ") || !strings.Contains(w.aborted.Error(), ids[3])) {
			t.Errorf("told %q", w.aborted)
		}
		if one.ends && len(w.c.unreachable) != 0 {
			t.Error("agents were given up")
		}
	}
}

func TestWhitelist(t *testing.T) {
	w := newWorld(t)
	w.step(SetWhitelist{Hostnames: []string{}})
	one, two := w.addAgent(1, small), w.addAgent(2, small)
	w.subscribe(1, frameworkInfo())
	offered := func(want ...string) {
		t.Helper()
		w.advance(time.Second, pidOf(1), pidOf(2))
		var got []string
		for _, id := range []string{one, two} {
			if len(w.c.registered[id].Offers) > 0 {
				got = append(got, id)
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("offered: %v, want %v", got, want)
		}
	}
	offered()
	w.step(SetWhitelist{Hostnames: []string{"host2", "nobody"}})
	offered(two)
	w.step(SetWhitelist{Hostnames: nil})
	offered(one, two)
}

func TestPingLimitsAreWhatTheyAreSetTo(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.AgentPingTimeout, c.MaxAgentPingTimeouts = 2*time.Second, 2 })
	agent := w.addAgent(1, small)
	w.advance(4*time.Second - 1)
	if w.c.registered[agent] == nil {
		t.Fatal("too early")
	}
	w.advance(1)
	if w.c.unreachable[agent] == nil {
		t.Error("too late")
	}
}
