package httpd

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
)

func served(t *testing.T, h gin.HandlerFunc) *httptest.Server {
	t.Helper()
	e := NewEngine(slog.New(slog.DiscardHandler))
	e.NoRoute(h)
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	s.Client().Transport.(*http.Transport).DisableCompression = true
	return s
}

func fetch(t *testing.T, s *httptest.Server, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// Paths find their endpoints as in libprocess.
func TestRouting(t *testing.T) {
	r := NewRouter("master")
	endpoint := func(name string) gin.HandlerFunc {
		return func(c *gin.Context) { Text(c, http.StatusOK, name+" "+Path(c)) }
	}
	r.Handle("master", "", endpoint("ui"))
	r.Handle("master", "state", endpoint("state"))
	r.Handle("master", "state-summary", endpoint("summary"))
	r.Handle("master", "api/v1", endpoint("operator"))
	r.Handle("master", "api/v1/scheduler", endpoint("scheduler"))
	r.Handle("version", "", endpoint("version"))
	r.Handle("metrics", "snapshot", endpoint("metrics"))
	r.Handle("slave(1)", "state", endpoint("agent"))
	r.Assets("assets", endpoint("assets"))
	s := served(t, r.Serve)
	for path, want := range map[string]string{
		"/":                            "ui /master",
		"/master":                      "ui /master",
		"/state":                       "state /master/state",
		"/master/state":                "state /master/state",
		"/master/state/":               "state /master/state/",
		"/state/any/thing":             "state /master/state/any/thing",
		"//state":                      "state /master//state",
		"/%6daster/state":              "state /%6daster/state",
		"/state-summary":               "summary /master/state-summary",
		"/api/v1":                      "operator /master/api/v1",
		"/api/v1/x":                    "operator /master/api/v1/x",
		"/api/v1/scheduler":            "scheduler /master/api/v1/scheduler",
		"/version":                     "version /version",
		"/metrics/snapshot":            "metrics /metrics/snapshot",
		"/slave(1)/state":              "agent /slave(1)/state",
		"/slave%281%29/state":          "agent /slave%281%29/state",
		"/assets/img/x.png":            "assets /master/assets/img/x.png",
		"/api":                         "",
		"/version/x":                   "",
		"/master/version":              "",
		"/metrics":                     "",
		"/stat":                        "",
		"/state;x":                     "",
		"/%73tate":                     "",
		"/master/../master/state":      "",
		"/state/../state":              "",
		"/state%2Fx":                   "",
		"/unknown":                     "",
		"/master/unknown/deeply/below": "",
	} {
		target := s.URL + path
		req, err := http.NewRequest(http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = strings.TrimPrefix(target, "http:") // sent as it is
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		status := http.StatusOK
		if want == "" {
			want, status = "404 Not Found.", http.StatusNotFound
		}
		if string(b) != want || resp.StatusCode != status {
			t.Errorf("%s: %d %q, want %d %q", path, resp.StatusCode, b, status, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	long := strings.Repeat("x", CompressFrom)
	s := served(t, func(c *gin.Context) {
		switch c.Request.URL.Path {
		case "/empty":
			Empty(c, http.StatusAccepted)
		case "/json":
			JSON(c, []byte(`{"a":1}`))
		case "/long":
			Text(c, http.StatusBadRequest, long)
		case "/short":
			Text(c, http.StatusOK, long[1:])
		case "/method":
			if Allow(c, "GET", "PUT") {
				Empty(c, http.StatusOK)
			}
		case "/panic":
			panic("on purpose")
		}
	})
	tests := []struct {
		method, path, accept string
		status               int
		contentType, body    string
	}{
		{"GET", "/empty", "", 202, "", ""},
		{"GET", "/json", "", 200, TypeJSON, `{"a":1}`},
		{"HEAD", "/json", "", 200, TypeJSON, ``},
		{"GET", "/json?jsonp=cb", "", 200, TypeJavaScript, `cb({"a":1})`},
		{"GET", "/json?jsonp=", "", 200, TypeJavaScript, `({"a":1})`},
		{"GET", "/json?jsonp=a&jsonp=b", "", 200, TypeJavaScript, `b({"a":1})`},
		{"GET", "/long", "", 400, TypeText, long},
		{"GET", "/long", "gzip", 400, TypeText, "gzip:" + long},
		{"GET", "/long", "deflate, GZIP;q=0.1", 400, TypeText, "gzip:" + long},
		{"GET", "/long", "gzip;q=0", 400, TypeText, long},
		{"GET", "/long", "*", 400, TypeText, "gzip:" + long},
		{"GET", "/short", "gzip", 200, TypeText, long[1:]},
		{"PUT", "/method", "", 200, "", ""},
		{"POST", "/method", "", 405, TypeText, "405 Method Not Allowed. Expecting one of { 'GET', 'PUT' }, but received 'POST'."},
		{"GET", "/panic", "", 500, TypeText, "500 Internal Server Error."},
	}
	for _, test := range tests {
		headers := []string{"Accept-Encoding", test.accept}
		resp, body := fetch(t, s, test.method, test.path, "", headers...)
		if resp.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(z)
			body = "gzip:" + string(b)
		}
		if resp.StatusCode != test.status || resp.Header.Get("Content-Type") != test.contentType || body != test.body {
			t.Errorf("%s %s (%s): %d %s %.80q, want %d %s %.80q", test.method, test.path, test.accept,
				resp.StatusCode, resp.Header.Get("Content-Type"), body, test.status, test.contentType, test.body)
		}
		if resp.ContentLength < 0 {
			t.Errorf("%s %s: no Content-Length", test.method, test.path)
		}
		if test.status == 405 && resp.Header.Get("Allow") != "GET, PUT" {
			t.Errorf("Allow: %s", resp.Header.Get("Allow"))
		}
	}
}

func TestBodies(t *testing.T) {
	s := served(t, func(c *gin.Context) {
		if b, ok := Body(c, 1000); ok {
			Text(c, http.StatusOK, string(b))
		}
	})
	zip := func(text string) string {
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		z.Write([]byte(text))
		z.Close()
		return buf.String()
	}
	for name, test := range map[string]struct {
		body, encoding string
		status         int
		answer         string
	}{
		"plain":                {"abc", "", 200, "abc"},
		"empty":                {"", "", 200, ""},
		"at the limit":         {strings.Repeat("x", 1000), "", 200, strings.Repeat("x", 1000)},
		"too large":            {strings.Repeat("x", 1001), "", 413, "The request body is larger than 1000 bytes."},
		"gzip":                 {zip("abc"), "gzip", 200, "abc"},
		"gzip that is none":    {"abc", "gzip", 500, "failed to decode body"},
		"gzip bomb":            {zip(strings.Repeat("x", 100000)), "gzip", 413, "The request body is larger than 1000 bytes."},
		"gzip cut in the half": {zip("abc")[:15], "gzip", 500, "failed to decode body"},
	} {
		resp, got := fetch(t, s, "POST", "/", test.body, "Content-Encoding", test.encoding)
		if resp.StatusCode != test.status || got != test.answer {
			t.Errorf("%s: %d %.100q, want %d %.100q", name, resp.StatusCode, got, test.status, test.answer)
		}
	}
}

func TestParseQuery(t *testing.T) {
	for raw, want := range map[string]map[string]string{
		"":                {},
		"a=b&c=d;e=f":     {"a": "b", "c": "d", "e": "f"},
		"a=1&a=2":         {"a": "2"},
		"a&b=":            {"a": "", "b": ""},
		"a=b=c":           {"a": "b=c"},
		"a+b=c%20d%2B+&=": {"a b": "c d+ "},
		"&&;;":            {},
	} {
		got, err := ParseQuery(raw)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", raw, err, diff)
		}
	}
	for raw, want := range map[string]string{
		"a=%":    "Malformed % escape in '%': '%'",
		"a=x%2":  "Malformed % escape in 'x%2': '%2'",
		"a=%zzy": "Malformed % escape in '%zzy': '%zz'",
		"%+1=b":  "Malformed % escape in '%+1': '%+1'",
	} {
		if _, err := ParseQuery(raw); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", raw, err, want)
		}
	}
}

func TestAcceptedTypes(t *testing.T) {
	for accept, want := range map[string][2]bool{ // JSON, protobuf
		"":                                 {true, true},
		"*/*":                              {true, true},
		"application/*":                    {true, true},
		"application/json":                 {true, false},
		"APPLICATION/JSON":                 {true, false},
		"application/x-protobuf;q=0.5":     {false, true},
		"application/json;q=0":             {false, false},
		"application/json;q=0.0, */*":      {false, true},
		"text/html, application/json; q=1": {true, false},
		"text/html":                        {false, false},
		"application/recordio":             {false, false},
	} {
		r := &http.Request{Header: http.Header{"Accept": {accept}}}
		if got := [2]bool{AcceptsType(r, TypeJSON), AcceptsType(r, TypeProtobuf)}; got != want {
			t.Errorf("%q: %v, want %v", accept, got, want)
		}
	}
	if !AcceptsType(&http.Request{}, TypeJSON) {
		t.Error("no header at all")
	}
}

func TestBasicAuthentication(t *testing.T) {
	who := Basic(map[string]string{"ops": "secret", "odd": "a:b"})
	s := served(t, func(c *gin.Context) {
		if principal, ok := who(c, "realm"); ok {
			Text(c, http.StatusOK, principal)
		}
	})
	for authorization, principal := range map[string]string{
		"Basic b3BzOnNlY3JldA==":      "ops",
		"basic b3BzOnNlY3JldA==":      "",
		"Basic  b3BzOnNlY3JldA==":     "",
		"Basic b3BzOndyb25n":          "", // ops:wrong
		"Basic b2RkOmE6Yg==":          "", // odd:a:b
		"Basic bm9ib2R5Og==":          "", // nobody:
		"Basic !":                     "",
		"Bearer b3BzOnNlY3JldA==":     "",
		"":                            "",
		"Basic b3BzOnNlY3JldA== more": "",
	} {
		resp, body := fetch(t, s, "GET", "/", "", "Authorization", authorization)
		if principal != "" {
			if resp.StatusCode != 200 || body != principal {
				t.Errorf("%q: %d %s", authorization, resp.StatusCode, body)
			}
			continue
		}
		if resp.StatusCode != 401 || body != "401 Unauthorized." || resp.Header.Get("WWW-Authenticate") != `Basic realm="realm"` {
			t.Errorf("%q: %d %s %v", authorization, resp.StatusCode, body, resp.Header)
		}
	}
}

func TestPrincipalsReachTheirHandler(t *testing.T) {
	show := func(c *gin.Context) { Text(c, http.StatusOK, "hello "+Principal(c)) }
	s := served(t, Authenticated(Basic(map[string]string{"ann": "secret"}), "here", show))
	resp, body := fetch(t, s, "GET", "/", "", "Authorization", "Basic YW5uOnNlY3JldA==")
	if resp.StatusCode != http.StatusOK || body != "hello ann" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if resp, body = fetch(t, s, "GET", "/", ""); resp.StatusCode != http.StatusUnauthorized || body != "401 Unauthorized." {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	s = served(t, Authenticated(Anyone, "here", show))
	if _, body = fetch(t, s, "GET", "/", "", "Authorization", "Basic YW5uOnNlY3JldA=="); body != "hello " {
		t.Errorf("a principal that was not proven counts: %q", body)
	}
}

func TestDisabledPaths(t *testing.T) {
	r := NewRouter("master")
	ok := func(c *gin.Context) { Text(c, http.StatusOK, "ok") }
	r.Handle("master", "", ok)
	r.Handle("master", "state", ok)
	r.Handle("master", "state-summary", ok)
	r.Handle("files", "debug", ok)
	r.Disable("/master/state", "/files/debug", "/nowhere", "/master")
	s := served(t, r.Serve)
	for path, want := range map[string]string{
		"/master/state":       "Endpoint '/master/state' is disabled",
		"/state":              "Endpoint '/master/state' is disabled",
		"/state?jsonp=x":      "Endpoint '/master/state' is disabled",
		"//master//state":     "Endpoint '/master/state' is disabled",
		"/%6daster/state":     "Endpoint '/master/state' is disabled",
		"/state/":             "Endpoint '/master/state' is disabled",
		"/files/debug":        "Endpoint '/files/debug' is disabled",
		"/files/debug/":       "Endpoint '/files/debug' is disabled",
		"/":                   "Endpoint '/master' is disabled",
		"/master/state/x":     "ok",
		"/state-summary":      "ok",
		"/master/nowhere":     "404 Not Found.",
		"/nowhere":            "404 Not Found.",
		"/master/files/debug": "404 Not Found.",
	} {
		resp, body := fetch(t, s, "GET", path, "")
		if body != want || (resp.StatusCode == http.StatusForbidden) != strings.HasSuffix(want, "disabled") {
			t.Errorf("%s: %d %q, want %q", path, resp.StatusCode, body, want)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add("a=b&c=%20;d+e")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := ParseQuery(raw)
		if err != nil {
			return
		}
		// What was decoded comes back when it is encoded again.
		values := make(url.Values)
		for k, v := range q {
			values.Set(k, v)
		}
		again, err := ParseQuery(values.Encode())
		if diff := cmp.Diff(q, again); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", raw, err, diff)
		}
	})
}
