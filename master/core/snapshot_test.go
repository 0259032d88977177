package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// text shows all of a snapshot, in an order that does not depend on how it came about.
func (s *Snapshot) text() string {
	message := func(m proto.Message) string {
		b, _ := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(m)
		return fmt.Sprintf("%x", b)
	}
	tasks := func(list []*mesospb.Task, sorted bool) string {
		var lines []string
		for _, t := range list {
			lines = append(lines, message(t))
		}
		if sorted {
			slices.Sort(lines)
		}
		return strings.Join(lines, " ")
	}
	framework := func(f *FrameworkView) string {
		line := fmt.Sprint(f.ID, message(f.Info), f.Roles, f.Capabilities, f.State, f.Registered, f.Reregistered,
			f.Unregistered, f.Used, f.Offered, " tasks ", tasks(f.Tasks, true), " unreachable ", tasks(f.Unreachable, false),
			" completed ", tasks(f.CompletedTasks, false))
		for _, e := range f.Executors {
			line += fmt.Sprint(" executor ", message(e.Info), e.Agent)
		}
		for _, o := range f.Offers {
			line += fmt.Sprint(" offer ", message(o))
		}
		return line
	}
	var lines []string
	for _, a := range s.Agents {
		lines = append(lines, fmt.Sprint("agent ", a.ID, message(a.Info), a.PID, a.Version, a.Registered, a.Reregistered,
			a.Connected, a.Active, a.Deactivated, a.Total, a.Used, a.Offered, len(a.Operations)))
	}
	for _, f := range s.Frameworks {
		lines = append(lines, "framework "+framework(f))
	}
	slices.Sort(lines)
	for _, f := range s.Completed {
		lines = append(lines, "completed "+framework(f))
	}
	for _, r := range s.Recovered {
		lines = append(lines, "recovered "+r.ID)
	}
	lines = append(lines, fmt.Sprint(s.Unreachable, s.Weights, s.Whitelist))
	return strings.Join(lines, "\n")
}

// Through any history, a snapshot that is built on the one before shows what one built from
// nothing shows, finds everything by id, and keeps showing it when the core goes on.
func TestSnapshotsFollowTheCore(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := &history{
			world: newWorld(t), r: r, agents: make(map[int]string),
			acks: make(map[string]bool), live: make(map[taskKey]*mesospb.Task),
		}
		type kept struct {
			snapshot *Snapshot
			text     string
		}
		var all []kept
		var last *Snapshot
		look := func(*rapid.T) {
			fresh := h.c.Snapshot(nil)
			next := h.c.Snapshot(last)
			text := next.text()
			if want := fresh.text(); text != want {
				r.Fatalf("a snapshot built on another differs:\n%s\nwant\n%s", text, want)
			}
			if again := h.c.Snapshot(next); again != next {
				r.Fatal("a second snapshot of the same state")
			}
			for _, a := range next.Agents {
				if next.Agent(a.ID) != a {
					r.Fatalf("agent %s is not found", a.ID)
				}
			}
			for _, f := range next.Frameworks {
				if next.Framework(f.ID) != f {
					r.Fatalf("framework %s is not found", f.ID)
				}
			}
			if next.Agent("none") != nil || next.Framework("none") != nil || len(next.Agents) != len(h.c.registered) ||
				len(next.Frameworks) != len(h.c.known) {
				r.Fatal("something is there twice or for nothing")
			}
			last = next
			all = append(all, kept{next, text})
		}
		act := func(do func()) func(*rapid.T) { return func(*rapid.T) { do() } }
		r.Repeat(map[string]func(*rapid.T){
			"look":       look,
			"look 2":     look,
			"agent":      act(h.addAgentAction),
			"subscribe":  act(h.subscribeAction),
			"close":      act(h.closeAction),
			"accept":     act(h.acceptAction),
			"update":     act(h.updateAction),
			"disconnect": act(h.disconnectAction),
			"return":     act(h.returnAction),
			"unregister": act(h.unregisterAction),
			"teardown":   act(h.teardownAction),
			"time":       act(h.timeAction),
		})
		look(r)
		for i, k := range all {
			if k.snapshot.text() != k.text {
				r.Fatalf("snapshot %d changed afterwards", i)
			}
		}
	})
}

// What did not change is the same view in the next snapshot, and keeps its place.
func TestSnapshotsShareViews(t *testing.T) {
	w := newWorld(t)
	w.addAgent(1, small)
	w.addAgent(2, small)
	one := w.c.Snapshot(nil)
	w.subscribe(1, inRoles(frameworkInfo(), "a"))
	two := w.c.Snapshot(one)
	if len(two.Frameworks) != 1 || len(one.Frameworks) != 0 {
		t.Fatalf("%d and %d frameworks", len(one.Frameworks), len(two.Frameworks))
	}
	w.addAgent(3, small)
	three := w.c.Snapshot(two)
	if len(three.Agents) != 3 {
		t.Fatalf("%d agents", len(three.Agents))
	}
	for i := range 2 {
		if three.Agents[i] != two.Agents[i] {
			t.Errorf("agent %d has a new view though nothing happened to it", i)
		}
	}
}
