package mesos_test

import (
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"stoa/agent/containerizer/mesos"
	"stoa/agent/fetcher"
	"stoa/internal/parts"
)

// publicBinary copies the test binary to where every user may execute it.
func publicBinary(t *testing.T) string {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "mesos-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "stoa")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestContainerRunsAsItsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		parts.Missing(t, "root", "only root can run containers as somebody else")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		parts.Missing(t, "root", "no user nobody here")
	}
	f, err := fetcher.New(fetcher.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := mesos.New(mesos.Config{
		Executable: publicBinary(t), RuntimeDir: t.TempDir(), SwitchUser: true, Fetcher: f, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	spec := specFor(t, "id -u; touch mine; stat -c %u . stdout mine")
	spec.User = "nobody"
	if err := c.Launch(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	destroyLater(t, c, spec)
	awaitEnd(t, c, spec.ID)
	if out := read(t, spec, "stdout"); out != strings.Repeat(nobody.Uid+"\n", 4) {
		t.Errorf("stdout %q, stderr %q", out, read(t, spec, "stderr"))
	}

	unknown := specFor(t, "true")
	unknown.User = "no-such-user"
	if err := c.Launch(t.Context(), unknown); err == nil || !strings.Contains(err.Error(), "no-such-user") {
		t.Errorf("error %v", err)
	}
}
