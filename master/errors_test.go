package master

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/recordio"

	"github.com/google/go-cmp/cmp"
)

// exchange is a recorded request to the scheduler API and its answer. Of streams only
// the events are compared whose coming is not a matter of time.
type exchange struct {
	Name, Method, Path string
	Headers            [][2]string
	Body               string
	BodyHex            string `json:"body_hex"`
	OnStream           bool   `json:"on_stream"`
	Status             int
	ContentType        string `json:"content_type"`
	Answer             string
	Records            []string
	Closed             string
	Whole              bool
}

// errorReplay translates between the recording's ids and this run's.
type errorReplay struct {
	t    *testing.T
	m    *testMaster
	here []string // pairs for strings.NewReplacer
}

func (r *errorReplay) translate(s string) string { return strings.NewReplacer(r.here...).Replace(s) }

func (r *errorReplay) send(e exchange) *http.Response {
	r.t.Helper()
	body := r.translate(e.Body)
	if e.BodyHex != "" {
		raw, err := hex.DecodeString(e.BodyHex)
		if err != nil {
			r.t.Fatal(err)
		}
		body = string(raw)
	}
	request, err := http.NewRequest(e.Method, r.m.url(e.Path), strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range e.Headers {
		request.Header[h[0]] = append(request.Header[h[0]], r.translate(h[1]))
	}
	response, err := r.m.http.Do(request)
	if err != nil {
		r.t.Fatalf("%s: %v", e.Name, err)
	}
	if response.StatusCode != e.Status || response.Header.Get("Content-Type") != e.ContentType {
		r.t.Errorf("%s: %d with %q, not %d with %q", e.Name, response.StatusCode, response.Header.Get("Content-Type"), e.Status, e.ContentType)
	}
	return response
}

var frameworkID = regexp.MustCompile(`"framework_id":\{"value":"([^"]+)"\}`)

// records reads the events that were recorded and compares them.
func (r *errorReplay) records(e exchange, body io.Reader) {
	r.t.Helper()
	reader := recordio.NewReader(bufio.NewReader(body), recordio.DefaultMaxRecord)
	for _, want := range e.Records {
		have := ""
		for have == "" || have == `{"type":"HEARTBEAT"}` || strings.HasPrefix(have, `{"type":"OFFERS"`) {
			record, err := reader.Next()
			if err != nil {
				r.t.Errorf("%s: %v instead of %s", e.Name, err, want)
				return
			}
			have = string(record)
		}
		if strings.HasPrefix(want, `{"type":"SUBSCRIBED"`) {
			there, here := frameworkID.FindStringSubmatch(want), frameworkID.FindStringSubmatch(have)
			if there == nil || here == nil {
				r.t.Fatalf("%s: %s", e.Name, have)
			}
			// Longer texts first: the ids begin with the master's.
			r.here = append([]string{there[1], here[1]}, r.here...)
		}
		plain := func(s string) string {
			return masterTime.ReplaceAllString(s, `"source":"SOURCE_MASTER"$1"timestamp":0`)
		}
		if diff := cmp.Diff(plain(r.translate(want)), plain(have)); diff != "" {
			r.t.Errorf("%s: event (-want +got):\n%s", e.Name, diff)
		}
	}
	if e.Closed == "terminating chunk" {
		if record, err := reader.Next(); err == nil {
			r.t.Errorf("%s: the stream goes on with %s", e.Name, record)
		}
	}
}

// What the original answers to every kind of wrong call, and what it puts up with.
func TestReplaySchedulerErrors(t *testing.T) {
	text, err := os.ReadFile("testdata/scheduler-errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var recording struct{ Exchanges []exchange }
	if err := json.Unmarshal(text, &recording); err != nil {
		t.Fatal(err)
	}
	region, zone := "eu", "eu-0"
	m := startMaster(t, t.TempDir(), func(c *Config) {
		c.Domain = &mesospb.DomainInfo{FaultDomain: &mesospb.DomainInfo_FaultDomain{
			Region: &mesospb.DomainInfo_FaultDomain_RegionInfo{Name: &region},
			Zone:   &mesospb.DomainInfo_FaultDomain_ZoneInfo{Name: &zone},
		}}
	})
	m.http.Transport.(*http.Transport).DisableCompression = true
	var masterID string
	for _, e := range recording.Exchanges {
		if found := regexp.MustCompile(`"master_info":\{"id":"([^"]+)"`).FindStringSubmatch(strings.Join(e.Records, "")); found != nil {
			masterID = found[1]
		}
	}
	_, port, _ := strings.Cut(m.Address().String(), ":")
	r := &errorReplay{t: t, m: m, here: []string{masterID, m.Info().GetId(), "25050", port}}

	whole := recording.Exchanges[len(recording.Exchanges)-1]
	var stream *http.Response
	for _, e := range recording.Exchanges[:len(recording.Exchanges)-1] {
		if e.OnStream && stream == nil {
			stream = r.send(whole)
			defer stream.Body.Close()
			first := whole
			first.Records = whole.Records[:1]
			r.records(first, oneRecord{stream.Body})
			r.here = append([]string{recordedStream(recording.Exchanges), stream.Header.Get("Mesos-Stream-Id")}, r.here...)
		}
		response := r.send(e)
		if e.Records != nil {
			r.records(e, response.Body)
			response.Body.Close()
			continue
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if want := r.translate(e.Answer); string(body) != want {
			t.Errorf("%s: answer\n%q, not\n%q", e.Name, body, want)
		}
		if e.Status == http.StatusAccepted && response.ContentLength != 0 {
			t.Errorf("%s: Content-Length is %d", e.Name, response.ContentLength)
		}
	}
	whole.Records = whole.Records[1:]
	r.records(whole, stream.Body)
}

// recordedStream is the stream id that most calls carry.
func recordedStream(list []exchange) string {
	count := make(map[string]int)
	best := ""
	for _, e := range list {
		for _, h := range e.Headers {
			if strings.EqualFold(h[0], "Mesos-Stream-Id") {
				if count[h[1]]++; count[h[1]] > count[best] {
					best = h[1]
				}
			}
		}
	}
	return best
}

// oneRecord reads byte by byte, so that nothing after a record is lost in a buffer.
type oneRecord struct{ io.Reader }

func (r oneRecord) Read(p []byte) (int, error) { return r.Reader.Read(p[:1]) }
