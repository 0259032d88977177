package master

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/store"
	"stoa/master/core"

	"google.golang.org/protobuf/proto"
)

// operate makes a call of the operator API, or a POST to another path, and returns
// status and text.
func (m *testMaster) operate(path, body string) (int, string) {
	m.t.Helper()
	request, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, m.url(path), strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	answer, err := m.http.Do(request)
	if err != nil {
		m.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (m *testMaster) mustOperate(path, body string) {
	m.t.Helper()
	if status, text := m.operate(path, body); status != http.StatusOK {
		m.t.Fatalf("%s: %d %s", body, status, text)
	}
}

func (m *testMaster) read(path string) string {
	m.t.Helper()
	request, err := http.NewRequestWithContext(m.t.Context(), http.MethodGet, m.url(path), nil)
	if err != nil {
		m.t.Fatal(err)
	}
	answer, err := m.http.Do(request)
	if err != nil {
		m.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		m.t.Fatalf("%s: %d, %v", path, answer.StatusCode, err)
	}
	return string(text)
}

// waitUntil asks again and again, up to the deadline.
func waitUntil(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !is(); {
		if time.Now().After(end) {
			t.Fatal("it did not come in time")
		}
	}
}

// The conversation of a restarted agent that was marked gone.
func TestReplayGoneAgentReturns(t *testing.T) {
	s := readScript(t, "gone-agent-returns.json")
	dir := t.TempDir()
	state, err := store.OpenFile(filepath.Join(dir, "master.db"))
	if err != nil {
		t.Fatal(err)
	}
	id := message(t, s.Steps[0].FromAgent, s.Steps[0].BodyHex).(*internalpb.ReregisterSlaveMessage).Slave.Id
	record, err := proto.Marshal(&internalpb.Registry_GoneSlave{Id: id, Timestamp: &mesospb.TimeInfo{Nanoseconds: proto.Int64(time.Now().UnixNano())}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.Apply(t.Context(), store.Put("registry/gone/"+id.GetValue(), record)); err != nil {
		t.Fatal(err)
	}
	if err := state.Close(); err != nil {
		t.Fatal(err)
	}
	m := startMaster(t, dir)
	s.replay(t, m, startAgent(t, m))
}

// What the original sends to an agent that is marked gone, byte for byte, and what a
// restarted master still knows.
func TestMarkAgentGone(t *testing.T) {
	dir := t.TempDir()
	m := startMaster(t, dir)
	a := startAgent(t, m)
	id := a.register(parse(t, "cpus:4;mem:4096"))
	call := `{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"` + id + `"}}}`
	m.mustOperate("/api/v1", call)
	var got string
	for got == "" {
		if next := a.next(); next.Name == "mesos.internal.ShutdownMessage" {
			got = hex.EncodeToString(next.Body)
		}
	}
	if want := "0a1a4167656e7420686173206265656e206d61726b656420676f6e65"; got != want {
		t.Errorf("the agent was told %s, want %s", got, want)
	}
	m.stop()

	m = startMaster(t, dir)
	m.mustOperate("/api/v1", call)
	if text := m.read("/registrar(1)/registry"); !strings.Contains(text, `"gone":{"slaves":[{"id":{"value":"`+id+`"}`) {
		t.Errorf("registry: %s", text)
	}
}

// A schedule, a machine that is down and an agent that drains outlive the master.
func TestOperatorsDecisionsOutliveTheMaster(t *testing.T) {
	dir := t.TempDir()
	m := startMaster(t, dir)
	a := startAgent(t, m)
	id := a.register(parse(t, "cpus:4;mem:4096"))
	m.mustOperate("/maintenance/schedule", `{"windows":[{"machine_ids":[{"hostname":"m1"},{"hostname":"m2"}],"unavailability":{"start":{"nanoseconds":1}}}]}`)
	m.mustOperate("/machine/down", `[{"hostname":"m2"}]`)
	m.mustOperate("/api/v1", `{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"`+id+`"},"max_grace_period":{"seconds":5,"nanos":7}}}`)
	var drain internalpb.DrainSlaveMessage
	a.expect(&drain)
	if drain.GetConfig().GetMaxGracePeriod().GetNanoseconds() != 5_000_000_007 {
		t.Errorf("told %v", &drain)
	}
	waitUntil(t, func() bool { return strings.Contains(m.read("/slaves"), `"drain_info":{"state":"DRAINED"`) })
	before := m.read("/maintenance/schedule") + m.read("/maintenance/status")
	m.stop()

	m = startMaster(t, dir)
	if after := m.read("/maintenance/schedule") + m.read("/maintenance/status"); after != before || !strings.Contains(after, `"down_machines":[{"hostname":"m2"}]`) {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	var r struct {
		Slaves struct {
			Slaves []struct {
				Deactivated bool
				DrainInfo   struct{ State string } `json:"drain_info"`
			}
		}
		MinimumCapabilities []struct{ Capability string } `json:"minimum_capabilities"`
	}
	if err := json.Unmarshal([]byte(m.read("/registrar(1)/registry")), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Slaves.Slaves) != 1 || !r.Slaves.Slaves[0].Deactivated || r.Slaves.Slaves[0].DrainInfo.State != "DRAINED" ||
		len(r.MinimumCapabilities) != 1 || r.MinimumCapabilities[0].Capability != "AGENT_DRAINING" {
		t.Errorf("registry: %+v", r)
	}
}

func TestARegistryOfALaterMasterIsRefused(t *testing.T) {
	state, err := store.OpenFile(filepath.Join(t.TempDir(), "master.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	if _, err := state.Apply(t.Context(), store.Put("registry/capabilities/TELEPORT", nil), store.Put("registry/capabilities/AGENT_DRAINING", nil)); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), Config{Store: state, Listener: listener}); err == nil || !strings.HasPrefix(err.Error(), "Master is missing the following minimum capabilities: TELEPORT;") {
		t.Errorf("%v", err)
	}
}

func TestWhitelistIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whitelist")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := &whitelist{path: path, log: slog.New(slog.DiscardHandler)}
		if e := w.look(); e != nil {
			t.Errorf("without a file: %v", e)
		}
		ctx, cancel := context.WithCancel(t.Context())
		events := make(chan core.Event, 10)
		told := func() (got []core.Event) {
			for {
				select {
				case e := <-events:
					got = append(got, e)
				default:
					return got
				}
			}
		}
		ended := make(chan struct{})
		go func() {
			w.watch(ctx, func(e core.Event) { events <- e })
			close(ended)
		}()
		for _, one := range []struct {
			text string
			want []string
		}{
			{"", []string{}},
			{"b\r\n\na\nb\n", []string{"a", "b"}},
			{"a\nb", nil}, // the same
			{"c", []string{"c"}},
		} {
			write(one.text)
			time.Sleep(whitelistInterval + time.Millisecond)
			synctest.Wait()
			got := told()
			switch {
			case one.want == nil && len(got) == 0:
			case len(got) != 1 || !slices.Equal(got[0].(core.SetWhitelist).Hostnames, one.want) || got[0].(core.SetWhitelist).Hostnames == nil:
				t.Errorf("%q: told %v, want %v", one.text, got, one.want)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := told(); len(got) != 0 {
			t.Errorf("after the file went: %v", got)
		}
		cancel()
		<-ended
	})
}
