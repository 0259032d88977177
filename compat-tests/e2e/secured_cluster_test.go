package e2e

import (
	"fmt"
	"net/http"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"stoa/compat-tests/cluster"
)

const (
	clusterCredentials = `{"credentials": [
		{"principal": "ops", "secret": "ops secret"}, {"principal": "viewer", "secret": "viewer secret"},
		{"principal": "marathon", "secret": "marathon secret"}, {"principal": "agent", "secret": "agent secret"}]}`
	clusterACLs = `{"permissive": false,
		"register_agents": [{"principals": {"values": ["agent"]}, "agents": {"type": "ANY"}}],
		"register_frameworks": [{"principals": {"values": ["marathon"]}, "roles": {"values": ["*"]}}],
		"run_tasks": [{"principals": {"values": ["marathon"]}, "users": {"values": ["%[1]s"]}}],
		"view_frameworks": [{"principals": {"values": ["ops", "viewer"]}, "users": {"type": "ANY"}}],
		"view_tasks": [{"principals": {"values": ["ops"]}, "users": {"type": "ANY"}}],
		"view_executors": [{"principals": {"values": ["ops"]}, "users": {"type": "ANY"}}],
		"view_roles": [{"principals": {"values": ["ops"]}, "roles": {"type": "ANY"}}],
		"access_sandboxes": [{"principals": {"values": ["ops"]}, "users": {"values": ["%[1]s"]}}],
		"teardown_frameworks": [{"principals": {"values": ["ops"]}, "framework_principals": {"values": ["marathon"]}}]}`
)

// ended is nil once a daemon has ended by itself.
func ended(d *cluster.Daemon) error {
	select {
	case <-d.Done():
		return nil
	default:
		return fmt.Errorf("it runs")
	}
}

// logged is nil once the daemons have logged text.
func (s *secured) logged(text string) error {
	if strings.Contains(s.log.String(), text) {
		return nil
	}
	return fmt.Errorf("%q was not logged", text)
}

// A cluster in which everybody has to say who they are works for those who can, and
// only as far as they may.
func TestSecuredClusterWorksAndRefusesWhatItShould(t *testing.T) {
	s := newSecured(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	whole := t // what lives longer than the part that starts it
	creds := s.write(t, "creds", clusterCredentials)
	acls := s.write(t, "acls", fmt.Sprintf(clusterACLs, me.Username))
	secret := s.write(t, "secret", "marathon secret\n")
	credential := func(name, principal, secret string) string {
		return "--credential=" + s.write(t, name, fmt.Sprintf(`{"principal": %q, "secret": %q}`, principal, secret))
	}
	masterArgs := []string{
		"--authenticate_agents", "--authenticate_frameworks", "--authenticate_http_readonly", "--authenticate_http_readwrite",
		"--authenticate_http_frameworks", "--http_framework_authenticators=basic", "--credentials=file://" + creds, "--acls=" + acls,
		`--firewall_rules={"disabled_endpoints": {"paths": ["/files/debug", "/master/slaves"]}}`,
	}
	agentArgs := []string{
		"--authenticate_http_readonly", "--authenticate_http_readwrite", "--http_credentials=" + creds, "--acls=" + acls,
		"--authentication_timeout_min=1secs", "--authentication_backoff_factor=10ms",
	}
	marathonArgs := []string{
		"--mesos_authentication", "--mesos_authentication_principal", "marathon", "--http_credentials", "boss:pass:word",
	}
	registered := func(n int) func() error {
		return func() error {
			status, body, _ := as(t, "ops:ops secret", get, s.master+"/state", "")
			if status != http.StatusOK || !strings.Contains(body, fmt.Sprintf(`"activated_slaves":%d.0`, n)) {
				return fmt.Errorf("/state: %d %.300s", status, body)
			}
			return nil
		}
	}
	master := s.run(t, "master", s.masterArgs(masterArgs...)...)

	t.Run("agents that can't prove who they are", func(t *testing.T) {
		d := s.run(t, "agent", s.agentArgs(append(agentArgs, credential("wrong", "agent", "guessed"))...)...)
		until(t, "the agent with a wrong secret has given up", func() error { return ended(d) })
		if err := s.logged("refused authentication"); err != nil {
			t.Error(err)
		}
		d = s.run(t, "agent", s.agentArgs(append(agentArgs, credential("stranger", "stranger", "agent secret"))...)...)
		until(t, "the agent that nobody knows has given up", func() error { return ended(d) })
		d = s.run(t, "agent", s.agentArgs(agentArgs...)...)
		until(t, "the agent without a credential is refused", func() error { return s.logged("agent registration refused: it is not authenticated") })
		s.stop(t, d)
		// It may prove who it is, but not be an agent.
		d = s.run(t, "agent", s.agentArgs(append(agentArgs, credential("viewer", "viewer", "viewer secret"))...)...)
		until(t, "the agent of another principal is refused", func() error {
			return s.logged("Not authorized to register agent providing resources")
		})
		s.stop(t, d)
		if err := registered(0)(); err != nil {
			t.Error(err)
		}
	})

	s.start(t, syscall.SIGUSR1, "agent", s.agentArgs(append(agentArgs, credential("right", "agent", "agent secret"))...)...)
	until(t, "the agent is registered", registered(1))

	t.Run("a framework with a wrong secret", func(t *testing.T) {
		d := s.run(t, "marathon", s.marathonArgs(append(marathonArgs, "--mesos_authentication_secret", "guessed")...)...)
		until(t, "it is refused", func() error { return s.logged("401") })
		s.stop(t, d)
	})

	s.start(t, syscall.SIGTERM, "marathon", s.marathonArgs(append(marathonArgs, "--mesos_authentication_secret_file", secret)...)...)
	marathon := "http://127.0.0.1:" + strconv.Itoa(s.ports[2])
	boss := "boss:pass:word"
	app := func(id string, n int) func() error {
		return func() error {
			status, body, _ := as(t, boss, get, marathon+"/v2/apps/"+id, "")
			if status != http.StatusOK || !strings.Contains(body, fmt.Sprintf(`"tasksRunning":%d,`, n)) {
				return fmt.Errorf("/v2/apps/%s: %d %.600s", id, status, body)
			}
			return nil
		}
	}
	until(t, "Marathon answers", func() error {
		if status, body, _ := as(t, boss, get, marathon+"/ping", ""); status != http.StatusOK {
			return fmt.Errorf("/ping: %d %s", status, body)
		}
		return nil
	})
	if status, _, header := as(t, "boss:pass", get, marathon+"/v2/apps", ""); status != http.StatusUnauthorized || !strings.HasSuffix(header.Get("WWW-Authenticate"), ` realm="Mesosphere"`) {
		t.Errorf("Marathon answers a wrong password with %d, %q", status, header.Get("WWW-Authenticate"))
	}
	status, body, _ := as(t, boss, post, marathon+"/v2/apps", `{"id":"good","cmd":"echo out; sleep 1000","cpus":0.1,"mem":16}`)
	if status != http.StatusCreated {
		t.Fatalf("POST /v2/apps: %d %s", status, body)
	}
	until(t, "the app runs", app("good", 1))

	t.Run("a task as a user that the framework may not use", func(t *testing.T) {
		if status, body, _ := as(t, boss, post, marathon+"/v2/apps", `{"id":"bad","cmd":"sleep 1000","cpus":0.1,"mem":16,"user":"daemon"}`); status != http.StatusCreated {
			t.Fatalf("POST /v2/apps: %d %s", status, body)
		}
		until(t, "it is refused", func() error {
			_, body, _ := as(t, boss, get, marathon+"/v2/apps/bad", "")
			if !strings.Contains(body, "no authorized to launch task") || !strings.Contains(body, "under user 'daemon'") {
				return fmt.Errorf("%.800s", body)
			}
			return nil
		})
		as(t, boss, del, marathon+"/v2/apps/bad?force=true", "")
	})

	t.Run("views", func(t *testing.T) {
		has := func(who, url, text string, want bool) {
			t.Helper()
			status, body, _ := as(t, who, get, url, "")
			if status != http.StatusOK || strings.Contains(body, text) != want {
				t.Errorf("%s at %s: %d, shows %q: %v, want %v", who, url, status, text, !want, want)
			}
		}
		ops, viewer := "ops:ops secret", "viewer:viewer secret"
		for _, path := range []string{"/frameworks", "/state"} {
			has(ops, s.master+path, `"name":"marathon"`, true)
			has(viewer, s.master+path, `"name":"marathon"`, true)
			has(ops, s.master+path, `"TASK_RUNNING"`, true)
			has(viewer, s.master+path, `"TASK_RUNNING"`, false)
			has("marathon:marathon secret", s.master+path, `"name":"marathon"`, false)
		}
		has(ops, s.master+"/tasks", `"TASK_RUNNING"`, true)
		has(viewer, s.master+"/tasks", `{"tasks":[]}`, true)
		has(ops, s.agent+"/state", `"TASK_RUNNING"`, true)
		has(viewer, s.agent+"/state", `"TASK_RUNNING"`, false)
		has(viewer, s.agent+"/state", `"name":"marathon"`, true)
		has(viewer, s.agent+"/state", `"flags"`, false)
	})

	t.Run("calls", func(t *testing.T) {
		for _, x := range []struct {
			who, method, url, body string
			want                   int
		}{
			{"", get, s.master + "/state", "", 401},
			{"ops:guessed", get, s.master + "/state", "", 401},
			{"", post, s.master + "/api/v1", `{"type":"GET_STATE"}`, 401},
			{"ops:ops secret", get, s.master + "/slaves", "", 403},
			{"", get, s.master + "/master/slaves", "", 403},
			{"", get, s.agent + "/state", "", 401},
			{"viewer:viewer secret", get, s.agent + "/containers", "", 403},
			{"viewer:viewer secret", get, s.agent + "/flags", "", 403},
			{"viewer:viewer secret", post, s.agent + "/api/v1", `{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":1,"duration":{"nanoseconds":1}}}`, 403},
			{"viewer:viewer secret", post, s.master + "/api/v1", `{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"a","weight":2}]}}`, 403},
			{"ops:ops secret", post, s.master + "/api/v1", `{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"x"}}}`, 403},
			{"marathon:marathon secret", post, s.master + "/teardown", "frameworkId=" + s.frameworkID(t), 403},
			{"", get, s.master + "/health", "", 200},
			{"", get, s.agent + "/version", "", 200},
		} {
			if status, body, _ := as(t, x.who, x.method, x.url, x.body); status != x.want {
				t.Errorf("%s: %s %s %s: %d %s, want %d", x.who, x.method, x.url, x.body, status, body, x.want)
			}
		}
	})

	t.Run("sandboxes", func(t *testing.T) {
		status, body, _ := as(t, "ops:ops secret", get, s.agent+"/state", "")
		_, directory, _ := strings.Cut(body, `"directory":"`)
		directory, _, ok := strings.Cut(directory, `"`)
		if status != http.StatusOK || !ok {
			t.Fatalf("/state: %d %.300s", status, body)
		}
		for who, want := range map[string]int{"ops:ops secret": 200, "viewer:viewer secret": 403, "": 401} {
			for _, path := range []string{"/files/read?offset=0&path=" + directory + "/stdout", "/files/browse?path=" + directory, "/files/download?path=" + directory + "/stdout"} {
				if status, body, _ := as(t, who, get, s.agent+path, ""); status != want {
					t.Errorf("%q %s: %d %.200s, want %d", who, path, status, body, want)
				}
			}
		}
	})

	t.Run("after the master restarts", func(t *testing.T) {
		s.stop(t, master)
		s.start(whole, syscall.SIGTERM, "master", s.masterArgs(masterArgs...)...)
		until(t, "the agent has authenticated and registered again", registered(1))
		until(t, "Marathon has subscribed again", func() error {
			if s.frameworkID(t) == "" {
				return fmt.Errorf("no framework is active")
			}
			return nil
		})
		if err := app("good", 1)(); err != nil {
			t.Error(err)
		}
		if status, body, _ := as(t, boss, put, marathon+"/v2/apps/good", `{"instances":2}`); status != http.StatusOK {
			t.Fatalf("PUT: %d %s", status, body)
		}
		until(t, "the app has another task", app("good", 2))
	})

	if status, body, _ := as(t, "ops:ops secret", post, s.master+"/teardown", "frameworkId="+s.frameworkID(t)); status != http.StatusOK {
		t.Errorf("teardown: %d %s", status, body)
	}
	for _, hidden := range []string{"agent secret", "marathon secret", "guessed", "pass:word"} {
		if strings.Contains(s.log.String(), hidden) {
			t.Errorf("the daemons log the secret %q", hidden)
		}
	}
}

// frameworkID is the id of the active framework, empty for none.
func (s *secured) frameworkID(t *testing.T) string {
	t.Helper()
	_, body, _ := as(t, "ops:ops secret", get, s.master+"/frameworks", "")
	active, _, _ := strings.Cut(body, `"completed_frameworks"`)
	if !strings.Contains(active, `"active":true`) {
		return ""
	}
	_, id, _ := strings.Cut(active, `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	return id
}
