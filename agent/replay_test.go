package agent_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"stoa/agent"
	"stoa/internal/mesos/internalpb"
)

// exchange is a recorded request to the original agent, and its answer.
type exchange struct {
	Name, Method, Path string
	Headers            [][2]string
	Body               *string
	BodyHex            string `json:"body_hex"`
	Status             int
	ResponseHeaders    [][2]string `json:"response_headers"`
	ResponseBody       string      `json:"response_body"`
	ResponseBodyHex    string      `json:"response_body_hex"`
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, v); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recordedAgent starts an agent with the settings of the recorded one: its id, flags,
// resources and build.
func recordedAgent(t *testing.T, list []exchange, port, attributes string) (address string, master *fakeMaster) {
	t.Helper()
	var flags map[string]string
	id := ""
	for _, e := range list {
		if e.Path == "/flags" && e.Method == http.MethodGet {
			var body struct{ Flags map[string]string }
			if err := json.Unmarshal([]byte(e.ResponseBody), &body); err != nil {
				t.Fatal(err)
			}
			flags = body.Flags
		}
		if e.Name == "GET_FLAGS" {
			var body struct {
				GetFlags struct {
					Flags []struct{ Name, Value string }
				} `json:"get_flags"`
			}
			if err := json.Unmarshal([]byte(e.ResponseBody), &body); err != nil {
				t.Fatal(err)
			}
			flags = map[string]string{}
			for _, f := range body.GetFlags.Flags {
				flags[f.Name] = f.Value
			}
		}
		if found := regexp.MustCompile(`"(?:id":|id":\{"value":)"([0-9a-f-]{36}-S\d+)"`).FindStringSubmatch(e.ResponseBody); found != nil {
			id = found[1]
		}
	}
	master = newFakeMaster(t, "127.0.0.1:0")
	master.assign = id
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := settings{Master: master.address, WorkDir: t.TempDir()}.config(listener)
	config.Hostname = "agent1.rec"
	config.Attributes = attributes
	config.Flags = flags
	config.Build = agent.Build{Version: "1.12.0", GitSHA: "c1b42f79d", Date: "2024-08-30", User: "ref", Time: 1725000000}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := agent.New(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	first[*internalpb.UpdateSlaveMessage](master, 0)
	return listener.Addr().String(), master
}

// replay sends one recorded request and compares the answer.
func replay(t *testing.T, address string, e exchange, same func(want, got string) string) {
	t.Helper()
	var body io.Reader
	switch {
	case e.BodyHex != "":
		body = bytes.NewReader(unhex(t, e.BodyHex))
	case e.Body != nil:
		body = strings.NewReader(*e.Body)
	}
	request, err := http.NewRequest(e.Method, "http://"+address+e.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range e.Headers {
		request.Header.Add(h[0], h[1])
	}
	response, err := (&http.Transport{DisableCompression: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != e.Status {
		t.Errorf("status %d, the original's is %d; body %s", response.StatusCode, e.Status, got)
	}
	gotHeaders := map[string]string{}
	for name := range response.Header {
		if name != "Date" && name != "Content-Length" && name != "Content-Encoding" {
			gotHeaders[name] = response.Header.Get(name)
		}
	}
	wantHeaders := map[string]string{}
	for _, h := range e.ResponseHeaders {
		if h[0] != "Content-Encoding" {
			wantHeaders[h[0]] = h[1]
		}
	}
	if diff := cmp.Diff(wantHeaders, gotHeaders); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if response.Header.Get("Content-Encoding") == "gzip" || e.Method == http.MethodHead {
		return
	}
	want := e.ResponseBody
	if e.ResponseBodyHex != "" {
		want = string(unhex(t, e.ResponseBodyHex))
	}
	if diff := same(want, string(got)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// sameBody compares bodies after what differs from run to run is taken out: the port,
// the time of the start and the values of metrics.
func sameBody(address, recordedPort string) func(want, got string) string {
	port := address[strings.LastIndex(address, ":")+1:]
	times := regexp.MustCompile(`"start_time":[0-9.e+]+`)
	hostname := regexp.MustCompile(`"master_hostname":"[^"]*",`)
	clean := func(s, from string) string {
		s = strings.ReplaceAll(s, "127.0.0.1:"+from, "127.0.0.1:PORT")
		s = strings.ReplaceAll(s, `"port":`+from, `"port":PORT`)
		return hostname.ReplaceAllString(times.ReplaceAllString(s, `"start_time":T`), "")
	}
	numbers := regexp.MustCompile(`:-?[0-9.e+]+`)
	return func(want, got string) string {
		if strings.Contains(want, "avg_load_1min") || strings.Contains(want, "slave/uptime_secs") {
			return cmp.Diff(numbers.ReplaceAllString(want, ":N"), numbers.ReplaceAllString(got, ":N"))
		}
		return cmp.Diff(clean(want, recordedPort), clean(got, port))
	}
}

func TestUnversionedEndpointsAnswerAsRecorded(t *testing.T) {
	var list []exchange
	readJSON(t, "state-idle.json", &list)
	address, _ := recordedAgent(t, list, "25151", "rack:r1;zone:z-a;level:5;range:[1-3,7-9];frac:1.50")
	for _, e := range list {
		switch {
		case strings.Contains(e.Path, "resource_provider"), strings.Contains(e.Path, "__processes__"):
			continue // This agent has no resource providers and no actors to list.
		}
		t.Run(e.Name, func(t *testing.T) { replay(t, address, e, sameBody(address, "25151")) })
	}
}

func TestOperatorAPIAnswersAsRecorded(t *testing.T) {
	var list []exchange
	readJSON(t, "operator-empty.json", &list)
	address, _ := recordedAgent(t, list, "25171", "rack:r1")
	for _, e := range list {
		if strings.Contains(e.Name, "(protobuf)") && (strings.Contains(e.Name, "METRICS") || strings.Contains(e.Name, "GET_AGENT")) {
			continue // Values and ports differ, inside the bytes.
		}
		t.Run(e.Name, func(t *testing.T) { replay(t, address, e, sameBody(address, "25171")) })
	}
}

func TestExecutorAPIRefusesAsRecorded(t *testing.T) {
	var list []exchange
	readJSON(t, "executor-errors.json", &list)
	master := newFakeMaster(t, "127.0.0.1:0")
	a := startAgent(t, settings{Master: master.address, WorkDir: t.TempDir()})
	first[*internalpb.UpdateSlaveMessage](master, 0)
	// The recorded framework has a running executor "ee".
	const id = "2cc49bc6-9771-4353-bb06-96804fc460a3-0000"
	master.run(framework(id), "ee", "sleep 1000")
	master.await("the executor", func(all []proto.Message) bool { return len(updates(all, "ee")) > 1 })
	for _, e := range list {
		t.Run(e.Name, func(t *testing.T) {
			replay(t, a.address, e, func(want, got string) string { return cmp.Diff(want, got) })
		})
	}
}

// recordedMessage is a libprocess message between the original master and agent.
type recordedMessage struct {
	Message, From, To string
	BodyHex           string `json:"body_hex"`
}

func TestRegistrationHasTheOriginalsBytes(t *testing.T) {
	var list []recordedMessage
	readJSON(t, "registration.json", &list)
	master := newFakeMaster(t, "127.0.0.1:0")
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := settings{Master: master.address, WorkDir: t.TempDir()}.config(listener)
	config.Hostname = "agent1.rec"
	config.Build.Version = "1.12.0"
	ctx, cancel := context.WithCancel(context.Background())
	a, err := agent.New(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	var kinds []string
	for _, r := range list {
		if !strings.HasPrefix(r.From, "slave(1)") {
			continue
		}
		kinds = append(kinds, r.Message)
		want := unhex(t, r.BodyHex)
		var got []byte
		switch r.Message {
		case "mesos.internal.RegisterSlaveMessage":
			recorded := &internalpb.RegisterSlaveMessage{}
			if err := proto.Unmarshal(want, recorded); err != nil {
				t.Fatal(err)
			}
			m := first[*internalpb.RegisterSlaveMessage](master, 0)
			m.Slave.Port, m.ResourceVersionUuid = recorded.Slave.Port, recorded.ResourceVersionUuid
			got = marshal(t, m)
		case "mesos.internal.UpdateSlaveMessage":
			recorded := &internalpb.UpdateSlaveMessage{}
			if err := proto.Unmarshal(want, recorded); err != nil {
				t.Fatal(err)
			}
			m := first[*internalpb.UpdateSlaveMessage](master, 0)
			m.SlaveId, m.ResourceVersionUuid = recorded.SlaveId, recorded.ResourceVersionUuid
			got = marshal(t, m)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", r.Message, got, want)
		}
	}
	sort.Strings(kinds)
	if diff := cmp.Diff([]string{"mesos.internal.RegisterSlaveMessage", "mesos.internal.UpdateSlaveMessage"}, kinds); diff != "" {
		t.Errorf("messages that were compared (-want +got):\n%s", diff)
	}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
