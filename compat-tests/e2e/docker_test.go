package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stoa/compat-tests/cluster"
	"stoa/internal/dockertest"
)

// dockerApp is the seed's Docker app, in the older form of the definition.
func dockerApp(id, image string, hostPort int) string {
	return fmt.Sprintf(`{"id":%q,"cmd":"mkdir -p /www && echo hello from the container > /www/index.html && exec httpd -f -p 8080 -h /www",
		"cpus":0.1,"mem":64.0,"instances":1,
		"container":{"type":"DOCKER","docker":{"image":%q,"network":"BRIDGE",
		"portMappings":[{"containerPort":8080,"hostPort":%d,"servicePort":0,"protocol":"tcp"}]}}}`, id, image, hostPort)
}

// offeredPort is a free port, and what makes the agent offer it and nothing else.
func offeredPort(t *testing.T) (int, string) {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	return port, fmt.Sprintf("--resources=cpus:4;mem:4096;disk:4096;ports:[%d-%d]", port, port)
}

func mesosContainers(e *dockertest.Engine) []string {
	var names []string
	for _, n := range e.Containers() {
		if strings.HasPrefix(n, "mesos-") {
			names = append(names, n)
		}
	}
	return names
}

func TestDockerAppInBridgeMode(t *testing.T) {
	engine := dockertest.Start(t)
	port, offer := offeredPort(t)
	dir := t.TempDir()
	l := startLocal(t, dir, offer, "--docker_socket="+engine.Socket)
	send(t, 201, post, l.Marathon+"/v2/apps", dockerApp("bridged", dockertest.Image, port))
	task := settled(t, l, "bridged", 1)[0]
	if len(task.Ports) != 1 || task.Ports[0] != port {
		t.Errorf("ports %v, want %d", task.Ports, port)
	}
	until(t, "the container answers on the host port", func() error {
		a, err := cluster.Do(t.Context(), get, fmt.Sprintf("http://127.0.0.1:%d/index.html", port), "")
		if err == nil && string(a.Body) != "hello from the container\n" {
			err = fmt.Errorf("status %d: %s", a.Status, a.Body)
		}
		return err
	})
	if names := mesosContainers(engine); len(names) != 1 {
		t.Errorf("containers %v, want one whose name starts with mesos-", names)
	}

	// It outlives kill -9 of the cluster.
	before := mesosContainers(engine)
	l.Kill()
	l = startLocal(t, dir, append(samePorts(l), offer, "--docker_socket="+engine.Socket)...)
	after := settled(t, l, "bridged", 1)[0]
	if after.ID != task.ID || fmt.Sprint(mesosContainers(engine)) != fmt.Sprint(before) {
		t.Errorf("task %s in %v, want %s in %v", after.ID, mesosContainers(engine), task.ID, before)
	}

	send(t, 200, del, l.Marathon+"/v2/apps/bridged", "")
	until(t, "no container runs", func() error {
		var state struct{ State struct{ Running bool } }
		for _, n := range mesosContainers(engine) {
			if engine.Inspect(n, &state) && state.State.Running {
				return fmt.Errorf("%s runs", n)
			}
		}
		return nil
	})
}

// failure waits for the app's last failure and returns its message.
func failure(t *testing.T, l *cluster.Local, app string) string {
	t.Helper()
	var message string
	until(t, app+" has a failure", func() error {
		a, err := l.App(t.Context(), app)
		if err == nil && a.LastTaskFailure == nil {
			err = fmt.Errorf("no failure yet: %+v", a)
		}
		if err == nil {
			message = a.LastTaskFailure.State + ": " + a.LastTaskFailure.Message
		}
		return err
	})
	return message
}

func TestMissingImageIsExplained(t *testing.T) {
	engine := dockertest.Start(t)
	port, offer := offeredPort(t)
	l := startLocal(t, t.TempDir(), offer, "--docker_socket="+engine.Socket)
	send(t, 201, post, l.Marathon+"/v2/apps", dockerApp("noimage", "no.such.registry.invalid/image:1", port))
	if m := failure(t, l, "noimage"); !strings.HasPrefix(m, "TASK_FAILED: Failed to launch container: ") || !strings.Contains(m, "no.such.registry.invalid/image:1") {
		t.Errorf("lastTaskFailure %q", m)
	}
}

func TestUnreachableEngineIsExplained(t *testing.T) {
	port, offer := offeredPort(t)
	socket := filepath.Join(os.TempDir(), "no-such-docker.sock")
	l := startLocal(t, t.TempDir(), offer, "--docker_socket="+socket)
	send(t, 201, post, l.Marathon+"/v2/apps", dockerApp("noengine", dockertest.Image, port))
	if m := failure(t, l, "noengine"); !strings.HasPrefix(m, "TASK_FAILED: ") || !strings.Contains(m, socket) {
		t.Errorf("lastTaskFailure %q", m)
	}
}

func TestBadDockerDefinitionIsRefused(t *testing.T) {
	l := startLocal(t, t.TempDir())
	for _, bad := range []string{
		`{"id":"bad","cmd":"sleep 1","container":{"type":"DOCKER"}}`,
		`{"id":"bad","cmd":"sleep 1","container":{"type":"DOCKER","docker":{"network":"BRIDGE"}}}`,
		`{"id":"bad","cmd":"sleep 1","container":{"type":"DOCKER","docker":{"image":"a","network":"BRIGDE"}}}`,
	} {
		send(t, 422, post, l.Marathon+"/v2/apps", bad)
	}
}
