package registry

import (
	"context"
	"path/filepath"
	"testing"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/store"
	"stoa/master/core"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

func agent(id, hostname string) *internalpb.Registry_Slave {
	return &internalpb.Registry_Slave{Info: &mesospb.AgentInfo{Id: &mesospb.AgentID{Value: &id}, Hostname: &hostname}}
}

// open opens the store in dir and returns a registry whose writes are carried out,
// with a function that writes and waits.
func open(t *testing.T, dir string) (*Registry, func(...core.Change) error, func()) {
	t.Helper()
	file, err := store.OpenFile(filepath.Join(dir, "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	r := New(file)
	ctx, cancel := context.WithCancel(context.Background())
	outcome := make(chan core.Written, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx, func(w core.Written) { outcome <- w })
	}()
	n := core.WriteID(0)
	write := func(changes ...core.Change) error {
		n++
		r.Write(core.Write{Write: n, Changes: changes})
		w := <-outcome
		if w.Write != n {
			t.Fatalf("write %d is done, not %d", w.Write, n)
		}
		return w.Err
	}
	return r, write, func() {
		cancel()
		<-ended
		file.Close()
	}
}

// What was written is there after a restart: agents in the list they were put into
// last.
func TestRegistrySurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	_, write, closeIt := open(t, dir)
	away := &internalpb.Registry_UnreachableSlave{Id: &mesospb.AgentID{Value: proto.String("S1")}, Timestamp: &mesospb.TimeInfo{Nanoseconds: proto.Int64(7)}}
	dead := &internalpb.Registry_GoneSlave{Id: &mesospb.AgentID{Value: proto.String("S2")}, Timestamp: &mesospb.TimeInfo{Nanoseconds: proto.Int64(8)}}
	for _, changes := range [][]core.Change{
		{core.PutAgent{Agent: agent("S0", "a")}},
		{core.PutAgent{Agent: agent("S1", "b")}},
		{core.PutAgent{Agent: agent("S2", "c")}},
		{core.DropAgent{ID: "S1"}, core.PutUnreachable{Agent: away}},
		{core.DropAgent{ID: "S2"}, core.PutGone{Agent: dead}},
		{core.PutAgent{Agent: agent("S0", "renamed")}},
	} {
		if err := write(changes...); err != nil {
			t.Fatal(err)
		}
	}
	closeIt()
	r, write, closeIt := open(t, dir)
	defer closeIt()
	got, err := r.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := core.Recovery{
		Agents:      []*internalpb.Registry_Slave{agent("S0", "renamed")},
		Unreachable: []*internalpb.Registry_UnreachableSlave{away},
		Gone:        []*internalpb.Registry_GoneSlave{dead},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("registry (-want +got):\n%s", diff)
	}
	if err := write(core.DropUnreachable{ID: "S1"}, core.DropGone{ID: "S2"}, core.DropAgent{ID: "S0"}, core.DropAgent{ID: "never"}); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Load(t.Context()); err != nil || len(got.Agents)+len(got.Unreachable)+len(got.Gone) != 0 {
		t.Errorf("left: %v, %v", got, err)
	}
}

// Writes that wait together go to the store together; of one key the last counts.
func TestWritesOfOneBatchKeepTheirOrder(t *testing.T) {
	file, err := store.OpenFile(filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := New(file)
	r.Write(core.Write{Write: 1, Changes: []core.Change{core.PutAgent{Agent: agent("S0", "a")}}})
	r.Write(core.Write{Write: 2, Changes: []core.Change{core.DropAgent{ID: "S0"}}})
	r.Write(core.Write{Write: 3, Changes: []core.Change{core.PutAgent{Agent: agent("S0", "b")}, core.PutAgent{Agent: agent("S1", "c")}}})
	ctx, cancel := context.WithCancel(t.Context())
	var done []core.WriteID
	r.Run(ctx, func(w core.Written) {
		if w.Err != nil {
			t.Error(w.Err)
		}
		if done = append(done, w.Write); len(done) == 3 {
			cancel()
		}
	})
	got, err := r.Load(t.Context())
	if err != nil || len(got.Agents) != 2 || got.Agents[0].GetInfo().GetHostname() != "b" {
		t.Errorf("agents: %v, %v", got.Agents, err)
	}
	if diff := cmp.Diff([]core.WriteID{1, 2, 3}, done); diff != "" {
		t.Error(diff)
	}
}

// A damaged record is not passed over: its agent's tasks would be given up.
func TestDamagedRecordIsAnError(t *testing.T) {
	file, err := store.OpenFile(filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Apply(t.Context(), store.Put("registry/agents/S0", []byte{0xff, 0xff})); err != nil {
		t.Fatal(err)
	}
	if _, err := New(file).Load(t.Context()); err == nil {
		t.Error("read without an error")
	}
}

// A store that fails says so to the core.
func TestFailedWriteIsReported(t *testing.T) {
	_, write, closeIt := open(t, t.TempDir())
	defer closeIt()
	huge := agent("S0", string(make([]byte, store.MaxValue+1)))
	if err := write(core.PutAgent{Agent: huge}); err == nil {
		t.Error("written without an error")
	}
}
