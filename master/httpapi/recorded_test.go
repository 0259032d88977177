package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/masterpb"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

// exchange is one recorded request with its answer.
type exchange struct {
	Recording, Name string
	Method, Path    string
	Headers         [][2]string
	Body            string
	BodyHex         string `json:"body_hex"`
	Status          int
	AnswerHeaders   map[string]string `json:"answer_headers"`
	Answer          string
	AnswerHex       string `json:"answer_hex"`
	// Request names the exchange in master-busy.json.
	Request string
}

func recordedExchanges(t *testing.T, file string) []exchange {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var list []exchange
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// find returns the recorded answer to a request.
func find(t *testing.T, list []exchange, match func(exchange) bool) string {
	t.Helper()
	i := slices.IndexFunc(list, match)
	if i < 0 {
		t.Fatal("no such exchange")
	}
	return list[i].Answer
}

// recordedMaster configures a master like the one whose /state was recorded.
func recordedMaster(t *testing.T, state string, snapshot *core.Snapshot) Config {
	t.Helper()
	var doc struct {
		ID, PID, Hostname                             string
		StartTime                                     float64 `json:"start_time"`
		ElectedTime                                   float64 `json:"elected_time"`
		Version, GitSHA, BuildDate, BuildUser, LogDir string
		Flags                                         map[string]string
		LeaderInfo                                    struct{ Port uint32 } `json:"leader_info"`
		Domain                                        *struct {
			FaultDomain struct{ Region, Zone struct{ Name string } } `json:"fault_domain"`
		}
	}
	if err := json.Unmarshal([]byte(state), &doc); err != nil {
		t.Fatal(err)
	}
	info := &mesospb.MasterInfo{
		Id:       proto.String(doc.ID),
		Ip:       proto.Uint32(16777343),
		Port:     proto.Uint32(doc.LeaderInfo.Port),
		Pid:      proto.String(doc.PID),
		Hostname: proto.String(doc.Hostname),
		Version:  proto.String(doc.Version),
		Address: &mesospb.Address{
			Hostname: proto.String(doc.Hostname), Ip: proto.String("127.0.0.1"), Port: proto.Int32(int32(doc.LeaderInfo.Port)),
		},
		Capabilities: []*mesospb.MasterInfo_Capability{
			{Type: mesospb.MasterInfo_Capability_AGENT_UPDATE.Enum()},
			{Type: mesospb.MasterInfo_Capability_AGENT_DRAINING.Enum()},
			{Type: mesospb.MasterInfo_Capability_QUOTA_V2.Enum()},
		},
	}
	if doc.Domain != nil {
		info.Domain = &mesospb.DomainInfo{FaultDomain: &mesospb.DomainInfo_FaultDomain{
			Region: &mesospb.DomainInfo_FaultDomain_RegionInfo{Name: proto.String(doc.Domain.FaultDomain.Region.Name)},
			Zone:   &mesospb.DomainInfo_FaultDomain_ZoneInfo{Name: proto.String(doc.Domain.FaultDomain.Zone.Name)},
		}}
	}
	return Config{
		Snapshot: func(context.Context) (*core.Snapshot, error) { return snapshot, nil },
		Info:     info,
		Build: &mesospb.VersionInfo{
			Version: proto.String("1.12.0"), BuildDate: proto.String("2024-08-30"), BuildTime: proto.Float64(1725000000),
			BuildUser: proto.String("ref"), GitSha: proto.String("c1b42f79d"),
		},
		Started: unixTime(doc.StartTime),
		Elected: unixTime(doc.ElectedTime),
		Flags:   doc.Flags,
		Teardown: func(context.Context, string) (int, string) {
			return http.StatusBadRequest, "No framework found with specified ID"
		},
	}
}

func unixTime(seconds float64) time.Time { return time.UnixMicro(int64(seconds*1e6 + 0.5)) }

// ask sends a recorded request to a handler through a real connection.
func ask(t *testing.T, server *httptest.Server, e exchange) (*http.Response, []byte) {
	t.Helper()
	body := []byte(e.Body)
	if e.BodyHex != "" {
		body, _ = hex.DecodeString(e.BodyHex)
	}
	path, _, _ := strings.Cut(e.Path, "#") // no client sends it
	r, err := http.NewRequest(e.Method, server.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range e.Headers {
		r.Header.Add(h[0], h[1])
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, got
}

func serve(t *testing.T, config Config) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(New(config))
	t.Cleanup(server.Close)
	server.Client().Transport.(*http.Transport).DisableCompression = true
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return server
}

// volatile is what differs from run to run: the values of metrics and of the machine.
var volatile = regexp.MustCompile(`("[^"]*"):-?[0-9.e-]+`)

// missing are metrics that only the original's parts have: its replicated log, and
// timers, which show up once they were used.
var missing = regexp.MustCompile(`(\{"name":)?"(registrar/log/|registrar/state_|allocator/mesos/allocation_run_)[^,}]*(,"value":[^}]*\})?,?`)

// metricNames lists the metrics of a GET_METRICS answer in protobuf.
func metricNames(t *testing.T, body string) string {
	var r masterpb.Response
	if err := proto.Unmarshal([]byte(body), &r); err != nil {
		t.Error(err)
	}
	var names []string
	for _, m := range r.GetGetMetrics().GetMetrics() {
		if !missing.MatchString(strconv.Quote(m.GetName())) {
			names = append(names, m.GetName())
		}
	}
	return strings.Join(names, "\n")
}

func check(t *testing.T, server *httptest.Server, e exchange) {
	t.Helper()
	resp, got := ask(t, server, e)
	if resp.StatusCode != e.Status {
		t.Errorf("status %d, want %d; body %.200s", resp.StatusCode, e.Status, got)
		return
	}
	wantBody := e.Answer
	if e.AnswerHex != "" {
		b, _ := hex.DecodeString(e.AnswerHex)
		wantBody = string(b)
	}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(got))
		if err == nil {
			got, err = io.ReadAll(z)
		}
		if err != nil {
			t.Errorf("decompress: %v", err)
		}
	}
	gotBody := string(got)
	changing := strings.Contains(e.Path, "metrics/snapshot") && e.Status == 200 ||
		strings.Contains(e.Path, "stats.json") || strings.Contains(e.Body, "GET_METRICS") ||
		strings.HasPrefix(e.Name, "GET_METRICS")
	if e.AnswerHex != "" && changing {
		wantBody, gotBody = metricNames(t, wantBody), metricNames(t, gotBody)
	} else if changing {
		gotBody = volatile.ReplaceAllString(missing.ReplaceAllString(gotBody, ""), "$1:0")
		wantBody = volatile.ReplaceAllString(missing.ReplaceAllString(wantBody, ""), "$1:0")
	}
	if diff := cmp.Diff(wantBody, gotBody); diff != "" {
		t.Errorf("body (-original +ours):\n%s", diff)
	}
	if resp.Header.Get("Date") == "" {
		t.Error("no Date")
	}
	// Compressed lengths depend on the compressor, those of changing values on them.
	ignore := func(name string) bool {
		return name == "Content-Length" && (changing || resp.Header.Get("Content-Encoding") != "")
	}
	gotHeaders, wantHeaders := make(map[string]string), make(map[string]string)
	for name, values := range resp.Header {
		if name != "Date" && !ignore(name) {
			gotHeaders[name] = strings.Join(values, ",")
		}
	}
	if resp.ContentLength >= 0 && !ignore("Content-Length") {
		gotHeaders["Content-Length"] = strconv.FormatInt(resp.ContentLength, 10)
	}
	for name, value := range e.AnswerHeaders {
		if !ignore(name) {
			wantHeaders[name] = value
		}
	}
	if diff := cmp.Diff(wantHeaders, gotHeaders); diff != "" {
		t.Errorf("headers (-original +ours):\n%s", diff)
	}
}

// Every request that was recorded of a master without agents gets the recorded answer:
// status, headers and bytes.
func TestMasterAlone(t *testing.T) {
	list := recordedExchanges(t, "master-alone.json")
	state := find(t, list, func(e exchange) bool { return e.Path == "/state" && e.Method == "GET" })
	server := serve(t, recordedMaster(t, state, &core.Snapshot{}))
	for _, e := range list {
		t.Run(e.Recording+"/"+e.Name, func(t *testing.T) { check(t, server, e) })
	}
}

// unsupportedCalls change something; the recording has the original's success.
var unsupportedCalls = []string{"UPDATE_WEIGHTS", "RESERVE_RESOURCES", "UNRESERVE_RESOURCES", "CREATE_VOLUMES",
	"DESTROY_VOLUMES", "GROW_VOLUME", "SHRINK_VOLUME", "UPDATE_MAINTENANCE_SCHEDULE", "START_MAINTENANCE",
	"STOP_MAINTENANCE", "DRAIN_AGENT", "DEACTIVATE_AGENT", "REACTIVATE_AGENT", "UPDATE_QUOTA", "SET_QUOTA",
	"REMOVE_QUOTA", "MARK_AGENT_GONE"}

// The operator API answers like the original, refusals included.
func TestOperatorCallsOnAnEmptyMaster(t *testing.T) {
	list := recordedExchanges(t, "operator-empty.json")
	var master, flags masterpb.Response
	for _, e := range list {
		b, _ := hex.DecodeString(e.AnswerHex)
		switch e.Name {
		case "GET_MASTER (protobuf)":
			if err := proto.Unmarshal(b, &master); err != nil {
				t.Fatal(err)
			}
		case "GET_FLAGS (protobuf)":
			if err := proto.Unmarshal(b, &flags); err != nil {
				t.Fatal(err)
			}
		}
	}
	if master.GetMaster == nil || flags.GetFlags == nil {
		t.Fatal("no GET_MASTER or GET_FLAGS recorded")
	}
	config := Config{
		Snapshot: func(context.Context) (*core.Snapshot, error) { return &core.Snapshot{}, nil },
		Info:     master.GetMaster.MasterInfo,
		Build: &mesospb.VersionInfo{
			Version: proto.String("1.12.0"), BuildDate: proto.String("2024-08-30"), BuildTime: proto.Float64(1725000000),
			BuildUser: proto.String("ref"), GitSha: proto.String("c1b42f79d"),
		},
		Started: unixTime(master.GetMaster.GetStartTime()),
		Elected: unixTime(master.GetMaster.GetElectedTime()),
		Flags:   make(map[string]string),
		Teardown: func(context.Context, string) (int, string) {
			return http.StatusBadRequest, "No framework found with specified ID"
		},
	}
	for _, f := range flags.GetFlags.Flags {
		config.Flags[f.GetName()] = f.GetValue()
	}
	server := serve(t, config)
	config.Recovered = func() bool { return false }
	starting := serve(t, config)
	for _, e := range list {
		if !strings.HasPrefix(e.Path, "/api/v1") && !strings.HasPrefix(e.Path, "/master/api/v1") || strings.Contains(e.Path, "scheduler") {
			continue
		}
		t.Run(e.Name, func(t *testing.T) {
			for _, call := range unsupportedCalls {
				if strings.Contains(e.Body, `"`+call+`"`) && (e.Status == 200 || e.Status == 202 || e.Status == 404 ||
					e.Status == 400 && !strings.HasPrefix(e.Answer, "Failed to ")) {
					resp, _ := ask(t, server, e)
					if resp.StatusCode != http.StatusNotImplemented {
						t.Errorf("status %d of a call that is not carried out", resp.StatusCode)
					}
					return
				}
			}
			if e.Status == http.StatusServiceUnavailable { // asked too early
				check(t, starting, e)
				return
			}
			check(t, server, e)
		})
	}
}
