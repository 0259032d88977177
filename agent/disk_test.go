package agent_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// TestWorkDirectoryLooksLikeTheOriginals runs two of the recorded tasks and compares names, kinds
// and modes of everything that is checkpointed with what the original left on disk.
func TestWorkDirectoryLooksLikeTheOriginals(t *testing.T) {
	content, err := os.ReadFile("checkpoint/testdata/http-executor.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded []struct{ Path, Mode string }
	if err := json.Unmarshal(content, &recorded); err != nil {
		t.Fatal(err)
	}
	uuid := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	agentID := regexp.MustCompile(`slaves/[^/]+-S\d+`)
	frameworkID := regexp.MustCompile(`frameworks/[^/]+`)
	clean := func(path string) string {
		path = agentID.ReplaceAllString(path, "slaves/AGENT")
		path = frameworkID.ReplaceAllString(path, "frameworks/FRAMEWORK")
		return uuid.ReplaceAllString(path, "RUN")
	}
	other := regexp.MustCompile(`executors/(asnobody|failed|run)(/|$)`)
	var want []string
	for _, n := range recorded {
		if !other.MatchString(n.Path) {
			want = append(want, n.Mode+" "+clean(n.Path))
		}
	}

	master := newFakeMaster(t, "127.0.0.1:0")
	work := t.TempDir()
	startAgent(t, settings{Master: master.address, WorkDir: work})
	first[*internalpb.UpdateSlaveMessage](master, 0)
	f := framework("test-0000")
	master.run(f, "argv", "sleep 1000")
	master.run(f, "done", "echo d; exit 0")
	master.awaitState("argv", mesospb.TaskState_TASK_RUNNING)
	master.awaitState("done", mesospb.TaskState_TASK_FINISHED)
	eventually(t, "the end of the executor", func() bool {
		found, _ := filepath.Glob(filepath.Join(work, "meta/slaves/latest/frameworks/*/executors/done/runs/*/executor.sentinel"))
		return len(found) > 0
	})
	var got []string
	err = filepath.WalkDir(filepath.Join(work, "meta"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().String()
		if d.Type()&fs.ModeSymlink != 0 {
			mode = "lrwxrwxrwx"
		}
		relative, _ := filepath.Rel(work, path)
		got = append(got, mode+" "+clean(relative))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("meta (-want +got):\n%s", diff)
	}
	sandbox, err := os.Stat(filepath.Join(work, "slaves/test-S0/frameworks/test-0000/executors/argv/runs/latest"))
	if err != nil || sandbox.Mode().Perm() != 0o750 {
		t.Errorf("sandbox: %v, %v", sandbox, err)
	}
}

// TestRestartedAgentReportsLikeTheOriginal compares which fields the re-registration has.
func TestRestartedAgentReportsLikeTheOriginal(t *testing.T) {
	var list []recordedMessage
	readJSON(t, "restart.json", &list)
	recorded := &internalpb.ReregisterSlaveMessage{}
	for _, r := range list {
		if strings.HasSuffix(r.Message, ".ReregisterSlaveMessage") {
			if err := proto.Unmarshal(unhex(t, r.BodyHex), recorded); err != nil {
				t.Fatal(err)
			}
		}
	}
	master := newFakeMaster(t, "127.0.0.1:0")
	s := settings{Address: freeAddress(t), Master: master.address, WorkDir: t.TempDir()}
	a := startAgent(t, s)
	first[*internalpb.UpdateSlaveMessage](master, 0)
	master.run(framework("test-0000"), "rec-run", "sleep 1000")
	master.awaitState("rec-run", mesospb.TaskState_TASK_RUNNING)
	a.stop()
	before := master.count()
	startAgent(t, s)
	ours := first[*internalpb.ReregisterSlaveMessage](master, before)
	if diff := cmp.Diff(fields(recorded, 2), fields(ours, 2)); diff != "" {
		t.Errorf("fields of the message (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fields(recorded.GetTasks()[0], 4), fields(ours.GetTasks()[0], 4)); diff != "" {
		t.Errorf("fields of the running task (-want +got):\n%s", diff)
	}
}

// fields are the set fields of a message, to a depth.
func fields(m proto.Message, depth int) []string {
	seen := map[string]bool{}
	collectFields(m.ProtoReflect(), "", depth, seen)
	var list []string
	for name := range seen {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
