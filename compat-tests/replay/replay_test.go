package replay_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"stoa/compat-tests/replay"
)

// server is a small daemon with what a real one has: plain answers, ids, a state
// that changes, and streams.
func server(t *testing.T) string {
	t.Helper()
	var tries atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %v %q", r.Method, r.RequestURI, r.Header, body)
	})
	mux.HandleFunc("/id", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Id", "id-42")
		io.WriteString(w, `{"id":"id-42","cpus":0.5}`)
	})
	mux.HandleFunc("/get/id-42", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "found") })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"tries":%d}`, tries.Add(1))
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "//"+r.Host+"/id")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, `[1,2]`)
		z.Close()
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Mesos-Stream-Id", "s-1")
		for _, record := range []string{`{"type":"SUBSCRIBED","id":"f-7"}`, `{"type":"HEARTBEAT"}`, `{"type":"OFFERS","n":2}`, `{"type":"OFFERS","n":1}`} {
			fmt.Fprintf(w, "%d\n%s", len(record), record)
			w.(http.Flusher).Flush()
		}
		if r.URL.Query().Has("end") {
			return
		}
		<-r.Context().Done()
	})
	mux.HandleFunc("/sse", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "event: hello\r\ndata: {\"a\":1}\r\n\r\n\r\n: a comment\nevent: bye\ndata: no json\n\n")
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "20\n{\"type\":") })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

// play does the steps, written as JSON, against a small daemon.
func play(t *testing.T, steps string) *replay.Report {
	t.Helper()
	scenario, err := replay.Parse([]byte(`{"name":"test","server":"it","steps":[` + steps + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	runner := &replay.Runner{Servers: map[string]string{"it": server(t)}}
	return runner.Run(t.Context(), scenario)
}

func matches(t *testing.T, steps string) {
	t.Helper()
	if report := play(t, steps); report.Failed() || strings.Contains(report.String(), "skipped") {
		t.Errorf("%s", report)
	}
}

func differs(t *testing.T, steps string, want ...string) {
	t.Helper()
	report := play(t, steps)
	if !report.Failed() {
		t.Error("it matched")
	}
	for _, text := range want {
		if !strings.Contains(report.String(), text) {
			t.Errorf("the report lacks %q:\n%s", text, report)
		}
	}
}

func TestRequestsGoOutAsWritten(t *testing.T) {
	matches(t, `{"request":{"method":"PUT","path":"/echo?a=%2F&b=c+d"},
		"expect":{"status":200,"body":"PUT /echo?a=%2F&b=c+d map[Content-Length:[0]] \"\""}}`)
	matches(t, `{"request":{"method":"POST","path":"/echo","headers":[["X-A","1"],["X-A","2"]],"body":" {\"a\": 1}"},
		"expect":{"body":"POST /echo map[Content-Length:[9] X-A:[1 2]] \" {\\\"a\\\": 1}\""}}`)
	matches(t, `{"request":{"method":"POST","path":"/echo","headers":{"User-Agent":"me"},"json":{"a": [1, 2.0]}},
		"expect":{"body":"POST /echo map[Content-Length:[13] User-Agent:[me]] \"{\\\"a\\\":[1,2.0]}\""}}`)
	matches(t, `{"request":{"method":"POST","path":"/echo","hex":"00ff"},
		"expect":{"body":"POST /echo map[Content-Length:[2]] \"\\x00\\xff\""}}`)
}

func TestDoubleSlashesStayInPaths(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) })}
	go s.Serve(listener)
	defer s.Close()
	scenario, err := replay.Parse([]byte(`{"name":"slashes","server":"it","steps":[
		{"request":{"method":"GET","path":"/v2/apps//a//b"},"expect":{"body":"/v2/apps//a//b"}},
		{"request":{"method":"GET","path":"//v2/apps"},"expect":{"body":"{{any}}//v2/apps"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	runner := &replay.Runner{Servers: map[string]string{"it": "http://" + listener.Addr().String()}}
	if report := runner.Run(t.Context(), scenario); report.Failed() {
		t.Error(report)
	}
}

func TestCapturedNamesServeLaterSteps(t *testing.T) {
	matches(t, `{"request":{"method":"GET","path":"/id"},"expect":{"status":200,
			"headers":{"content-type":"application/json","X-Id":"{{id:the_id}}","X-Other":null},
			"json":{"id":"{{id:the_id}}","cpus":"{{double}}"}}},
		{"request":{"method":"GET","path":"/get/{{$the_id}}"},"expect":{"body":"found"}}`)
}

func TestServersAndRunsHaveNames(t *testing.T) {
	matches(t, `{"request":{"method":"GET","path":"/redirect"},"expect":{"status":307,"headers":{"Location":"//{{$it}}/id"},"body":""}},
		{"request":{"method":"POST","path":"/echo?{{$run}}","body":"{{$it_port}}"},"expect":{"body":"POST /echo?{{$run}} {{any}} \"{{$it_port}}\""}}`)
}

func TestDifferencesAreTold(t *testing.T) {
	differs(t, `{"name":"the id","request":{"method":"GET","path":"/id"},"expect":{"status":404,
			"headers":{"Content-Type":"text/plain","X-Id":null,"X-Other":"{{any}}"},"json":{"id":"{{uuid}}","cpus":1.0}}},
		{"request":{"method":"GET","path":"/get/{{$the_id}}"},"expect":{"status":200}}`,
		"step 1 (the id):", "status: want 404, got 200",
		`header Content-Type: want "text/plain", got "application/json"`,
		`header X-Id: want none, got ["id-42"]`, `header X-Other: want "{{any}}", got none`,
		`$.id: want "{{uuid}}", got "id-42"`, "$.cpus: want 1.0, got 0.5", `got: 200 OK {"id":"id-42","cpus":0.5}`,
		"step 2 (GET /get/{{$the_id}}) skipped:")
	differs(t, `{"request":{"method":"GET","path":"/get/id-42"},"expect":{"json":{}}}`, "no JSON")
	differs(t, `{"request":{"method":"GET","path":"/get/id-42"},"expect":{"hex":"00"}}`, "want 00, got 666f756e64")
}

func TestPollingWaitsForTheAnswer(t *testing.T) {
	matches(t, `{"within":20,"request":{"method":"GET","path":"/slow"},"expect":{"json":{"tries":3}}}`)
	differs(t, `{"within":0.2,"request":{"method":"GET","path":"/slow"},"expect":{"json":{"tries":0}}}`, "not within 200ms", "$.tries: want 0, got")
}

func TestGzipIsUnpacked(t *testing.T) {
	matches(t, `{"request":{"method":"GET","path":"/gzip"},"expect":{"headers":{"Content-Encoding":"gzip"},"json":[1,2]}}`)
}

func TestStreamsAreReadStepByStep(t *testing.T) {
	matches(t, `{"stream":"s","request":{"method":"GET","path":"/events"},"expect":{"status":200,
			"headers":{"Mesos-Stream-Id":"{{id:stream}}","Transfer-Encoding":"chunked"},
			"records":[{"type":"SUBSCRIBED","id":"{{id:framework}}"}]}},
		{"stream":"s","expect":{"ignore":[{"type":"HEARTBEAT"}],"records":[{"type":"OFFERS","n":1},{"type":"OFFERS","n":2}],"unordered":["$"]}},
		{"request":{"method":"GET","path":"/echo/{{$framework}}/{{$stream}}"},"expect":{"status":404}},
		{"close":"s"}`)
	differs(t, `{"stream":"s","request":{"method":"GET","path":"/events?end"},"expect":{"records":[{"type":"SUBSCRIBED","id":"f-7"},{"type":"OFFERS"}]}}`,
		`$[1].type: want "OFFERS", got "HEARTBEAT"`)
	differs(t, `{"stream":"s","within":0.1,"request":{"method":"GET","path":"/events"},"expect":{"records":[1,2,3,4,5]}}`, "record 5 of 5: it did not come in time")
	differs(t, `{"stream":"s","request":{"method":"GET","path":"/id"},"expect":{"status":201}}`, "status: want 201, got 200", `{"id":"id-42"`)
	differs(t, `{"stream":"s","request":{"method":"GET","path":"/cut"},"expect":{"end":true}}`, "8 bytes into a record of 20")
	if report := play(t, `{"stream":"s","expect":{"end":true}},{"close":"s"}`); !strings.Contains(report.String(), "step 1 (read on from s) skipped: the stream s is not open") {
		t.Error(report)
	}
}

func TestTheEndOfAStreamIsChecked(t *testing.T) {
	matches(t, `{"stream":"s","request":{"method":"GET","path":"/events?end"},"expect":{
		"ignore":[{"type":"OFFERS","n":"{{any}}"},{"type":"HEARTBEAT"}],"records":[{"type":"SUBSCRIBED","id":"f-7"}],"end":true}}`)
	differs(t, `{"stream":"s","request":{"method":"GET","path":"/events?end"},"expect":{"records":["{{any}}"],"end":true}}`, `the stream should end, but: {"type":"HEARTBEAT"}`)
}

func TestServerSentEventsAreRecords(t *testing.T) {
	matches(t, `{"stream":"s","framing":"sse","request":{"method":"GET","path":"/sse"},
		"expect":{"records":[{"event":"hello","data":{"a":1}},{"event":"bye","data":"no json"}],"end":true}}`)
}

func TestScenariosSayWhatTheyNeed(t *testing.T) {
	scenario, err := replay.Parse([]byte(`{"name":"x","server":"it","needs":["docker"],"steps":[{"request":{"method":"GET","path":"/"},"expect":{}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	runner := &replay.Runner{Servers: map[string]string{"it": "http://127.0.0.1:1"}}
	if report := runner.Run(t.Context(), scenario); report.Skipped != "needs docker" {
		t.Errorf("%+v", report)
	}
	runner.Has = []string{"docker"}
	if report := runner.Run(t.Context(), scenario); !report.Failed() || !strings.Contains(report.String(), "no answer") {
		t.Errorf("%+v", report)
	}
	runner.Servers = nil
	if report := runner.Run(context.Background(), scenario); report.Skipped != "no address of the server it" {
		t.Errorf("%+v", report)
	}
}

func TestWrongFilesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                 "unexpected EOF",
		`{"name":"x"}`:      "no steps",
		`{"steps":[null]}`:  "step 1 is null",
		`{"steps":[{}]} {}`: "text after",
		`{"stepz":[{}]}`:    `unknown field "stepz"`,
		`{"steps":[{}]}`:    "neither request nor stream",
		`{"steps":[{"server":"a","request":{"method":"GET","path":"/"}}]}`:                                       "no expect",
		`{"steps":[{"request":{"method":"GET","path":"/"},"expect":{}}]}`:                                        "no server",
		`{"steps":[{"server":"a","request":{"method":"GET","path":"x"},"expect":{}}]}`:                           "begins with /",
		`{"steps":[{"server":"a","request":{"method":"GET","path":"/","body":"","hex":"00"},"expect":{}}]}`:      "only one of",
		`{"steps":[{"server":"a","request":{"method":"GET","path":"/","hex":"0"},"expect":{}}]}`:                 "odd length",
		`{"steps":[{"server":"a","request":{"method":"GET","path":"/{{x}}"},"expect":{}}]}`:                      "no such kind",
		`{"steps":[{"server":"a","request":{"method":"GET","path":"/","headers":[1]},"expect":{}}]}`:             "a list of [name, value]",
		`{"steps":[{"server":"a","request":{"method":"GET","path":"/"},"expect":{"json":"{{x}}"}}]}`:             "no such kind",
		`{"steps":[{"server":"a","request":{"method":"GET","path":"/"},"expect":{"json":1,"body":""}}]}`:         "only one of",
		`{"steps":[{"server":"a","request":{"method":"GET","path":"/"},"expect":{"records":[]}}]}`:               "for streams",
		`{"steps":[{"server":"a","stream":"s","request":{"method":"GET","path":"/"},"expect":{"records":1}}]}`:   "records are a list",
		`{"steps":[{"server":"a","stream":"s","request":{"method":"GET","path":"/"},"expect":{"body":""}}]}`:     "a stream has records",
		`{"steps":[{"stream":"s","expect":{"status":200,"end":true}}]}`:                                          "come with a request",
		`{"steps":[{"stream":"s","expect":{}}]}`:                                                                 "nothing to read",
		`{"steps":[{"stream":"s","framing":"x","expect":{"end":true}}]}`:                                         "no such framing",
		`{"steps":[{"close":"s","stream":"s"}]}`:                                                                 "does nothing else",
		`{"steps":[{"server":"a","request":{"method":"GET","path":"/"},"expect":{"json":1,"subset":["a"]}}]}`:    "does not begin with $",
		`{"steps":[{"server":"a","within":-1,"request":{"method":"GET","path":"/"},"expect":{}}]}`:               "negative",
		`{"steps":[{"server":"a","request":{"method":"GET","path":"/"},"expect":{"headers":{"A":"{{nope}}"}}}]}`: "no such kind",
	} {
		if _, err := replay.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"name":"x","server":"a","steps":[{"stream":"s","request":{"method":"GET","path":"/","headers":{"a":"b"}},"expect":{"records":[{"a":"{{id:x}}"}]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := replay.Parse(data); err == nil && len(s.Steps) == 0 {
			t.Error("a scenario without steps")
		}
	})
}
