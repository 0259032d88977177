// Package dockertest starts a Docker engine of its own for a test: its own data, socket and
// bridge, no registry, an image with a shell. Tests skip, with the reason, where that is not possible.
package dockertest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stoa/internal/parts"
)

// Image is the name of the image that every engine holds: busybox, static, with its usual commands.
const Image = "busybox:test"

// patience is how long the engine gets for anything.
const patience = 60 * time.Second

// Engine is a running dockerd.
type Engine struct {
	// Socket is the path of its unix socket; it stays the same over Stop and Start.
	Socket string

	t      testing.TB
	dir    string
	bridge string
	subnet string
	client *http.Client
	daemon *exec.Cmd
	ended  chan error
}

// Start starts an engine and imports Image. It is stopped and everything of it removed when the test
// ends.
func Start(t testing.TB) *Engine {
	t.Helper()
	if testing.Short() {
		t.Skip("an engine takes seconds to start")
	}
	if os.Geteuid() != 0 {
		parts.Missing(t, "root", "a Docker engine needs root")
	}
	for _, program := range []string{"dockerd", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			parts.Missing(t, "docker", fmt.Sprintf("no %s on this machine: %v", program, err))
		}
	}
	busybox := findBusybox()
	if busybox == "" {
		parts.Missing(t, "docker", "no static busybox on this machine: install busybox-static")
	}
	// Not below t.TempDir(): socket paths are limited to 108 bytes.
	dir, err := os.MkdirTemp("", "dockertest")
	if err != nil {
		t.Fatal(err)
	}
	suffix := make([]byte, 4)
	if _, err := rand.Read(suffix); err != nil {
		t.Fatal(err)
	}
	e := &Engine{
		Socket: filepath.Join(dir, "docker.sock"),
		t:      t,
		dir:    dir,
		bridge: fmt.Sprintf("dt%x", suffix),
		// Out of the range for such ad-hoc networks; two engines rarely meet.
		subnet: fmt.Sprintf("172.%d.%d.1/24", 16+suffix[0]%16, suffix[1]),
	}
	e.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", e.Socket)
		},
	}}
	t.Cleanup(e.remove)
	if err := e.makeBridge(); err != nil {
		parts.Missing(t, "docker", fmt.Sprintf("no bridge can be made on this machine: %v", err))
	}
	if err := e.start(); err != nil {
		parts.Missing(t, "docker", fmt.Sprintf("dockerd does not start on this machine: %v", err))
	}
	e.Import(Image, busybox)
	return e
}

func findBusybox() string {
	for _, path := range []string{"/bin/busybox", "/usr/bin/busybox"} {
		// A dynamic one needs libraries that the image has not.
		if out, err := exec.Command("ldd", path).CombinedOutput(); err != nil || strings.Contains(string(out), "not a dynamic") {
			if _, err := os.Stat(path); err == nil {
				return path
			}
		}
	}
	return ""
}

func (e *Engine) makeBridge() error {
	for _, args := range [][]string{
		{"link", "add", e.bridge, "type", "bridge"},
		{"addr", "add", e.subnet, "dev", e.bridge},
		{"link", "set", e.bridge, "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// start runs dockerd and waits until it answers.
func (e *Engine) start() error {
	log, err := os.OpenFile(filepath.Join(e.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	e.daemon = exec.Command("dockerd",
		"--data-root="+filepath.Join(e.dir, "data"),
		"--exec-root="+filepath.Join(e.dir, "exec"),
		"--pidfile="+filepath.Join(e.dir, "pid"),
		"--host=unix://"+e.Socket,
		"--bridge="+e.bridge,
		// The tables are the machine's, and other engines' too. Published ports go through the
		// engine's proxy without them.
		"--iptables=false", "--ip-masq=false",
		"--config-file="+filepath.Join(e.dir, "none.json"),
	)
	if err := os.WriteFile(filepath.Join(e.dir, "none.json"), []byte("{}"), 0o600); err != nil {
		return err
	}
	e.daemon.Stdout, e.daemon.Stderr = log, log
	// Its containerd is a child: a group of its own makes both end.
	e.daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := e.daemon.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	e.ended = ended
	daemon := e.daemon
	go func() { ended <- daemon.Wait() }()
	deadline := time.Now().Add(patience)
	for {
		if response, err := e.client.Get("http://docker/_ping"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("%v: %s", err, e.lastLog())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer: %s", e.lastLog())
		}
	}
}

func (e *Engine) lastLog() string {
	data, err := os.ReadFile(filepath.Join(e.dir, "log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(len(lines)-5, 0):], "\n")
}

// Stop ends the engine, and with it its containers. Start it again with Restart.
func (e *Engine) Stop() {
	e.t.Helper()
	if e.daemon == nil {
		return
	}
	_ = e.daemon.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.ended:
	case <-time.After(patience):
		_ = syscall.Kill(-e.daemon.Process.Pid, syscall.SIGKILL)
		<-e.ended
		e.t.Errorf("dockerd did not end: %s", e.lastLog())
	}
	e.daemon = nil
	e.client.CloseIdleConnections()
}

// Restart starts a stopped engine again, with its images.
func (e *Engine) Restart() {
	e.t.Helper()
	if err := e.start(); err != nil {
		e.t.Fatalf("dockerd does not start again: %v", err)
	}
}

// remove stops the engine and deletes everything of it.
func (e *Engine) remove() {
	if e.daemon != nil {
		for _, name := range e.Containers() {
			e.Delete(name)
		}
		e.Stop()
	}
	_ = exec.Command("ip", "link", "del", e.bridge).Run()
	// The engine leaves mounts of network namespaces behind.
	mounts, _ := filepath.Glob(filepath.Join(e.dir, "exec", "netns", "*"))
	for _, mount := range mounts {
		_ = syscall.Unmount(mount, syscall.MNT_DETACH)
	}
	if err := os.RemoveAll(e.dir); err != nil {
		e.t.Errorf("remove the engine's directory: %v", err)
	}
}

// Import makes an image with the static binary busybox and links for its commands.
func (e *Engine) Import(image, busybox string) {
	e.t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	binary, err := os.ReadFile(busybox)
	if err != nil {
		e.t.Fatal(err)
	}
	check := func(err error) {
		if err != nil {
			e.t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin/", "tmp/", "etc/", "mnt/"} {
		check(w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}))
	}
	check(w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755, Size: int64(len(binary))}))
	_, err = w.Write(binary)
	check(err)
	commands, err := exec.Command(busybox, "--list").Output()
	check(err)
	for _, command := range strings.Fields(string(commands)) {
		if command != "busybox" {
			check(w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + command, Linkname: "busybox", Mode: 0o777}))
		}
	}
	check(w.Close())
	name, tag, _ := strings.Cut(image, ":")
	query := url.Values{"fromSrc": {"-"}, "repo": {name}, "tag": {tag}, "changes": {"ENV PATH=/bin"}}
	e.call(http.MethodPost, "/images/create?"+query.Encode(), &archive, nil)
}

// Containers lists the names of all containers, running or not, without the leading slash.
func (e *Engine) Containers() []string {
	e.t.Helper()
	var list []struct{ Names []string }
	e.call(http.MethodGet, "/containers/json?all=1", nil, &list)
	var names []string
	for _, one := range list {
		for _, name := range one.Names {
			names = append(names, strings.TrimPrefix(name, "/"))
		}
	}
	return names
}

// Inspect decodes the inspection of a container into v and tells whether it exists.
func (e *Engine) Inspect(name string, v any) bool {
	e.t.Helper()
	return e.call(http.MethodGet, "/containers/"+url.PathEscape(name)+"/json", nil, v)
}

// Delete ends and deletes a container.
func (e *Engine) Delete(name string) {
	e.t.Helper()
	e.call(http.MethodDelete, "/containers/"+url.PathEscape(name)+"?force=1&v=1", nil, nil)
}

// Run starts a container of Image in the background.
func (e *Engine) Run(name string, command ...string) {
	e.t.Helper()
	body, err := json.Marshal(map[string]any{"Image": Image, "Cmd": command, "HostConfig": map[string]any{"NetworkMode": "host"}})
	if err != nil {
		e.t.Fatal(err)
	}
	e.call(http.MethodPost, "/containers/create?name="+url.QueryEscape(name), bytes.NewReader(body), nil)
	e.call(http.MethodPost, "/containers/"+url.PathEscape(name)+"/start", nil, nil)
}

// call talks to the engine; it tells false for 404 and fails the test for other errors.
func (e *Engine) call(method, path string, body io.Reader, v any) bool {
	e.t.Helper()
	request, err := http.NewRequest(method, "http://docker"+path, body)
	if err != nil {
		e.t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := e.client.Do(request)
	if err != nil {
		e.t.Errorf("%s %s: %v", method, path, err)
		return false
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	switch {
	case response.StatusCode == http.StatusNotFound:
		return false
	case err != nil || response.StatusCode >= 300 && response.StatusCode != http.StatusNotModified:
		e.t.Errorf("%s %s: %s: %s (%v)", method, path, response.Status, data, err)
		return false
	}
	if v != nil {
		if err := json.Unmarshal(data, v); err != nil {
			e.t.Errorf("%s %s: %v", method, path, err)
		}
	}
	return true
}
