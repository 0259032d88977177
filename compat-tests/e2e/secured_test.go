package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"stoa/compat-tests/cluster"
)

// secured is a master and an agent that ask who everybody is.
type secured struct {
	master, agent string // base URLs
	log           *logBuffer
	dir           string
	ports         [3]int
}

// write puts a file into the cluster's directory and returns its path.
func (s *secured) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs a daemon until the end of the test, whose signal to stop is stop.
func (s *secured) start(t *testing.T, stop syscall.Signal, piece string, args ...string) {
	t.Helper()
	d := s.run(t, piece, args...)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := d.Signal(ctx, stop); err != nil {
			t.Errorf("stop %s: %v", piece, err)
		}
	})
}

// run starts a daemon that the test stops, or that ends by itself.
func (s *secured) run(t *testing.T, piece string, args ...string) *cluster.Daemon {
	t.Helper()
	d, err := cluster.StartDaemon(binary, s.log, piece, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if ended(d) != nil {
			d.Kill()
		}
	})
	return d
}

func (s *secured) stop(t *testing.T, d *cluster.Daemon) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.Signal(ctx, syscall.SIGTERM); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{log: newLog(t), dir: t.TempDir(), ports: freePorts(t)}
	s.master, s.agent = "http://127.0.0.1:"+strconv.Itoa(s.ports[0]), "http://127.0.0.1:"+strconv.Itoa(s.ports[1])
	return s
}

func (s *secured) masterArgs(args ...string) []string {
	return append([]string{
		"--ip=127.0.0.1", fmt.Sprintf("--port=%d", s.ports[0]), "--work_dir=" + filepath.Join(s.dir, "master"), "--no-hostname_lookup",
	}, args...)
}

func (s *secured) agentArgs(args ...string) []string {
	return append([]string{
		"--ip=127.0.0.1", fmt.Sprintf("--port=%d", s.ports[1]), "--work_dir=" + filepath.Join(s.dir, "agent"),
		fmt.Sprintf("--master=127.0.0.1:%d", s.ports[0]), "--resources=cpus:4;mem:4096;disk:8192;ports:[31000-31999]",
		"--registration_backoff_factor=10ms", "--hostname=agent1.rec", "--no-hostname_lookup",
	}, args...)
}

func (s *secured) marathonArgs(args ...string) []string {
	return append([]string{
		"--http_address", "127.0.0.1", "--http_port", strconv.Itoa(s.ports[2]), "--hostname", "127.0.0.1",
		"--master", fmt.Sprintf("127.0.0.1:%d", s.ports[0]), "--work_dir", filepath.Join(s.dir, "marathon"),
	}, args...)
}

// as makes a request with credentials ("user:password").
func as(t *testing.T, who, method, url, body string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if user, password, ok := strings.Cut(who, ":"); ok {
		req.SetBasicAuth(user, password)
	}
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// agents is nil once the master has n registered agents.
func (s *secured) agents(t *testing.T, who string, n int) error {
	status, body, _ := as(t, who, get, s.master+"/slaves", "")
	if status != http.StatusOK || strings.Count(body, `"registered_time"`) != n {
		return fmt.Errorf("/slaves: %d %.300s", status, body)
	}
	return nil
}

type recordedExchange struct {
	Name, Method, Path, Body string
	Agent                    bool
	Headers                  [][2]string
	Status                   int
	Challenge, Type          string
	Answer                   *string
	Keys                     []string
	Record                   string
}

// What the original answered to clients without credentials, with wrong ones, and to
// principals that may not see or do everything, this master and agent answer too.
func TestRecordedAuthenticationAndAuthorization(t *testing.T) {
	text, err := os.ReadFile("testdata/http-auth-acls.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Credentials string
		ACLs        json.RawMessage
		Flag        string // how /flags shows the lists
		Exchanges   []recordedExchange
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	s := newSecured(t)
	creds, acls := s.write(t, "creds", recorded.Credentials), s.write(t, "acls", string(recorded.ACLs))
	s.start(t, syscall.SIGTERM, "master", s.masterArgs("--authenticate_http_readonly", "--authenticate_http_readwrite", "--authenticate_http_frameworks",
		"--http_framework_authenticators=basic", "--credentials="+creds, "--acls=file://"+acls)...)
	s.start(t, syscall.SIGUSR1, "agent", s.agentArgs("--authenticate_http_readonly", "--authenticate_http_readwrite", "--http_credentials="+creds)...)
	until(t, "the agent is registered", func() error { return s.agents(t, "op:opsec", 1) })

	var shown struct {
		Flags struct{ ACLs, Credentials string }
	}
	if _, body, _ := as(t, "op:opsec", get, s.master+"/flags", ""); json.Unmarshal([]byte(body), &shown) != nil || shown.Flags.ACLs != recorded.Flag || shown.Flags.Credentials != creds {
		t.Errorf("/flags shows %q and %q", shown.Flags.ACLs, shown.Flags.Credentials)
	}
	names := map[string]string{}
	for _, e := range recorded.Exchanges {
		t.Run(e.Name, func(t *testing.T) { s.replay(t, e, names) })
	}
}

func (s *secured) replay(t *testing.T, e recordedExchange, names map[string]string) {
	fill := func(text string) string {
		for name, value := range names {
			text = strings.ReplaceAll(text, "{{"+name+"}}", value)
		}
		return text
	}
	base := s.master
	if e.Agent {
		base = s.agent
	}
	req, err := http.NewRequestWithContext(t.Context(), e.Method, base+e.Path, strings.NewReader(fill(e.Body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range e.Headers {
		req.Header.Set(h[0], fill(h[1]))
	}
	if e.Record != "" { // a stream; it stays open until the end of the whole test
		req = req.WithContext(context.WithoutCancel(t.Context()))
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != e.Status {
		t.Errorf("status is %d, want %d", resp.StatusCode, e.Status)
	}
	if got := resp.Header.Get("WWW-Authenticate"); got != e.Challenge {
		t.Errorf("challenge is %q, want %q", got, e.Challenge)
	}
	if e.Record != "" {
		record := firstRecord(t, resp.Body)
		if !strings.HasPrefix(record, e.Record) {
			t.Errorf("first record is %s, want %s", record, e.Record)
		}
		var subscribed struct {
			Subscribed struct {
				FrameworkID struct{ Value string } `json:"framework_id"`
			}
		}
		if json.Unmarshal([]byte(record), &subscribed) == nil && subscribed.Subscribed.FrameworkID.Value != "" {
			names["framework"], names["stream"] = subscribed.Subscribed.FrameworkID.Value, resp.Header.Get("Mesos-Stream-Id")
		}
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != e.Type {
		t.Errorf("Content-Type is %q, want %q", got, e.Type)
	}
	if e.Answer != nil && string(body) != *e.Answer {
		t.Errorf("answer is %.300s, want %s", body, *e.Answer)
	}
	if e.Keys != nil {
		var got []string
		for _, key := range keysOf(t, body) {
			if key != "git_sha" && key != "git_tag" && key != "git_branch" {
				got = append(got, key)
			}
		}
		want := slices.DeleteFunc(slices.Clone(e.Keys), func(key string) bool { return key == "git_sha" })
		if !slices.Equal(got, want) {
			t.Errorf("keys are %q, want %q", got, want)
		}
	}
}

func firstRecord(t *testing.T, body io.Reader) string {
	t.Helper()
	r := bufio.NewReader(body)
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	length, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	record := make([]byte, length)
	if _, err := io.ReadFull(r, record); err != nil {
		t.Fatal(err)
	}
	return string(record)
}

// keysOf are the keys of a JSON object in their order.
func keysOf(t *testing.T, text []byte) []string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(text)))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		t.Fatalf("not an object: %.200s", text)
	}
	var keys []string
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.(string))
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}
