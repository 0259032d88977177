package checkpoint

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"stoa/agent/core"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// node is one entry of a recorded --work_dir of the original agent.
type node struct {
	Path, Mode, Link, Content string
	ContentHex                *string `json:"content_hex"`
}

func (n node) bytes(t *testing.T) []byte {
	t.Helper()
	if n.ContentHex == nil {
		return []byte(n.Content)
	}
	content, err := hex.DecodeString(*n.ContentHex)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func recordedTree(t *testing.T, name string) []node {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var tree []node
	if err := json.Unmarshal(content, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// plant makes the recorded tree below a new work directory.
func plant(t *testing.T, tree []node) Layout {
	t.Helper()
	layout := Layout{Work: t.TempDir()}
	for _, n := range tree {
		path := filepath.Join(layout.Work, n.Path)
		var err error
		switch n.Mode[0] {
		case 'd':
			err = os.MkdirAll(path, 0o755)
		case 'l':
			err = os.Symlink(filepath.Join(layout.Meta(), n.Link), path)
		default:
			err = os.WriteFile(path, n.bytes(t), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return layout
}

func bootIDOf(t *testing.T, l Layout) {
	t.Helper()
	id, err := BootID()
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(l.BootID(), []byte(id), Machine); err != nil {
		t.Fatal(err)
	}
}

// message is a new message of the kind that the file holds.
func message(path string) proto.Message {
	switch filepath.Base(path) {
	case "slave.info":
		return &mesospb.AgentInfo{}
	case "framework.info":
		return &mesospb.FrameworkInfo{}
	case "executor.info":
		return &mesospb.ExecutorInfo{}
	case "task.info":
		return &mesospb.Task{}
	case "task.updates":
		return &internalpb.StatusUpdateRecord{}
	case "resources.info":
		return &mesospb.Resource{}
	}
	return nil
}

func TestRecordedFilesAreWrittenWithTheSameBytes(t *testing.T) {
	for _, name := range []string{"http-executor.json", "v0-executor.json", "reserved.json"} {
		checked := 0
		for _, n := range recordedTree(t, name) {
			if n.Mode[0] != '-' {
				continue
			}
			want := n.bytes(t)
			if filepath.Base(n.Path) == "resources_and_operations.state" {
				var state resourceState
				if err := state.readFile(want); err != nil {
					t.Fatalf("%s: %v", n.Path, err)
				}
				got, err := state.file()
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: got %x, want %x (%v)", n.Path, got, want, err)
				}
				checked++
				continue
			}
			if message(n.Path) == nil {
				continue
			}
			var got []byte
			used, err := Records(want, func() proto.Message { return message(n.Path) }, func(m proto.Message) {
				var err error
				if got, err = AppendRecord(got, m); err != nil {
					t.Fatal(err)
				}
			})
			if err != nil || used != len(want) {
				t.Fatalf("%s: %d of %d bytes read: %v", n.Path, used, len(want), err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s:\n got %x\nwant %x", n.Path, got, want)
			}
			checked++
		}
		if checked < 2 {
			t.Errorf("%s: only %d files were checked", name, checked)
		}
	}
}

func TestRecordedTreeOfTheOriginalIsRecovered(t *testing.T) {
	layout := plant(t, recordedTree(t, "http-executor.json"))
	bootIDOf(t, layout)
	saved, err := Recover(layout, true)
	if err != nil {
		t.Fatal(err)
	}
	if saved.Rebooted || saved.Errors != 0 || !strings.HasSuffix(saved.Info.GetId().GetValue(), "-S3") {
		t.Errorf("recovered agent: rebooted %v, errors %d, id %s", saved.Rebooted, saved.Errors, saved.Info.GetId().GetValue())
	}
	if len(saved.Frameworks) != 1 || saved.Frameworks[0].PID != "@0.0.0.0:0" {
		t.Fatalf("recovered frameworks: %+v", saved.Frameworks)
	}
	type executor struct {
		ID                         string
		Generated, Completed, HTTP bool
		HasPID                     bool
		Updates, Acks              int
	}
	var got []executor
	for _, e := range saved.Frameworks[0].Executors {
		run := e.Run(e.Latest)
		if run == nil || len(run.Tasks) != 1 {
			t.Fatalf("executor %s: run %+v", e.ID, run)
		}
		got = append(got, executor{e.ID, e.Generated, run.Completed, run.HTTP, run.ForkedPID > 0,
			len(run.Tasks[0].Updates), len(run.Tasks[0].Acks)})
	}
	want := []executor{
		{"argv", true, false, true, true, 2, 2},
		{"asnobody", true, false, true, true, 2, 2},
		{"done", true, true, true, true, 3, 3},
		{"failed", true, true, true, true, 3, 3},
		{"run", true, false, true, true, 2, 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recovered executors (-want +got):\n%s", diff)
	}
}

func TestV0ExecutorsAreRecoveredWithTheirAddress(t *testing.T) {
	layout := plant(t, recordedTree(t, "v0-executor.json"))
	bootIDOf(t, layout)
	saved, err := Recover(layout, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range saved.Frameworks[0].Executors {
		if run := e.Run(e.Latest); !strings.HasPrefix(run.LibprocessPID, "executor(1)@127.0.0.1:") || run.HTTP {
			t.Errorf("executor %s: %+v", e.ID, run)
		}
	}
}

func TestRebootForgetsProcesses(t *testing.T) {
	layout := plant(t, recordedTree(t, "http-executor.json"))
	saved, err := Recover(layout, true)
	if err != nil {
		t.Fatal(err)
	}
	if !saved.Rebooted {
		t.Error("another boot id was not taken for a reboot")
	}
	layout.Agent = saved.Info.GetId().GetValue()
	for _, e := range saved.Frameworks[0].Executors {
		run := e.Run(e.Latest)
		if run.ForkedPID != 0 || run.HTTP {
			t.Errorf("executor %s: %+v", e.ID, run)
		}
		if exists(layout.Framework(saved.Frameworks[0].ID).Executor(e.ID).Run(e.Latest).ForkedPID()) {
			t.Errorf("executor %s: forked.pid is still there", e.ID)
		}
	}
}

func TestRecordedReservationsAreRecovered(t *testing.T) {
	layout := plant(t, recordedTree(t, "reserved.json"))
	saved, err := Recover(layout, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(saved.Resources) != 2 || saved.Resources[1].GetDisk().GetPersistence().GetId() != "pv1" {
		t.Errorf("recovered resources: %v", saved.Resources)
	}
}

func TestDamage(t *testing.T) {
	const updates = "task.updates"
	find := func(l Layout, name string) string {
		var found string
		_ = filepath.Walk(l.Meta(), func(path string, _ os.FileInfo, _ error) error {
			if filepath.Base(path) == name && strings.Contains(path, "/argv/") {
				found = path
			}
			return nil
		})
		return found
	}
	argv := func(s core.Saved) *core.SavedExecutor { return &s.Frameworks[0].Executors[0] }
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, l Layout)
		// fails says that a strict recovery refuses it.
		fails bool
		check func(t *testing.T, s core.Saved)
	}{
		{"a partial last update is cut off", func(t *testing.T, l Layout) {
			appendTo(t, find(l, updates), []byte{40, 0, 0, 0, 8})
		}, false, func(t *testing.T, s core.Saved) {
			if n := len(argv(s).Runs[0].Tasks[0].Updates); n != 2 {
				t.Errorf("%d updates", n)
			}
		}},
		{"garbage after the updates", func(t *testing.T, l Layout) {
			appendTo(t, find(l, updates), []byte{2, 0, 0, 0, 0xff, 0xff})
		}, true, func(t *testing.T, s core.Saved) {
			if n := len(argv(s).Runs[0].Tasks[0].Updates); n != 2 {
				t.Errorf("%d updates", n)
			}
		}},
		{"a length beyond any message", func(t *testing.T, l Layout) {
			appendTo(t, find(l, updates), []byte{0xff, 0xff, 0xff, 0xff, 1})
		}, true, nil},
		{"an empty executor.info", func(t *testing.T, l Layout) {
			truncate(t, find(l, "executor.info"))
		}, false, func(t *testing.T, s core.Saved) {
			if argv(s).Info != nil {
				t.Error("an executor without info was recovered")
			}
		}},
		{"a dangling latest link", func(t *testing.T, l Layout) {
			latest := find(l, LatestName)
			if err := os.Remove(latest); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/nowhere", latest); err != nil {
				t.Fatal(err)
			}
		}, false, func(t *testing.T, s core.Saved) {
			if argv(s).Latest != "" {
				t.Errorf("latest is %q", argv(s).Latest)
			}
		}},
		{"a damaged forked.pid", func(t *testing.T, l Layout) {
			if err := os.WriteFile(find(l, "forked.pid"), []byte("12x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, strict := range []bool{true, false} {
				layout := plant(t, recordedTree(t, "http-executor.json"))
				bootIDOf(t, layout)
				c.damage(t, layout)
				saved, err := Recover(layout, strict)
				if strict && c.fails {
					if err == nil {
						t.Error("strict recovery accepts it")
					}
					continue
				}
				if err != nil {
					t.Fatalf("strict %v: %v", strict, err)
				}
				if c.fails && saved.Errors == 0 {
					t.Error("the error was not counted")
				}
				if c.check != nil {
					c.check(t, saved)
				}
			}
		})
	}
}

func appendTo(t *testing.T, path string, content []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string) {
	t.Helper()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte{4, 0, 0, 0, 8, 0, 18, 0})
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, content []byte) {
		used, _ := Records(content, func() proto.Message { return &internalpb.StatusUpdateRecord{} }, func(proto.Message) {})
		if used > len(content) {
			t.Fatalf("used %d of %d bytes", used, len(content))
		}
	})
}

func FuzzResourceState(f *testing.F) {
	f.Add([]byte{4, 0, 0, 0, 10, 0, 18, 0})
	f.Fuzz(func(t *testing.T, content []byte) {
		var state resourceState
		_ = state.readFile(content)
	})
}
