package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"stoa/agent/core"
	"stoa/agent/gc"
	"stoa/agent/httpapi"
	"stoa/internal/files"

	"context"
)

// FuzzCalls sends arbitrary bodies to both APIs. No body may break the server.
func FuzzCalls(f *testing.F) {
	for _, body := range []string{
		`{"type":"GET_STATE"}`, `{"type":"READ_FILE","read_file":{"path":"/x","offset":0}}`, "\x08\x01", "{}", "[",
		`{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":1,"duration":{"nanoseconds":-1}}}`,
		`{"type":"UPDATE","executor_id":{"value":"e"},"framework_id":{"value":"f"},"update":{"status":{"task_id":{"value":"t"},"state":"TASK_RUNNING"}}}`,
	} {
		f.Add(body, true)
		f.Add(body, false)
	}
	f.Fuzz(func(t *testing.T, body string, json bool) {
		view := &core.View{State: core.Running}
		done := make(chan struct{})
		close(done) // calls that need the core are not answered
		handler := httpapi.New(httpapi.Config{
			Process: "slave(1)", View: func(context.Context) *core.View { return view },
			Executors: httpapi.NewExecutors(func() bool { return true }, func(core.Event) {}, done),
			Files:     files.New(), Containers: noContainers{},
			GC: func() gc.Counts { return gc.Counts{} }, MaxAge: func() time.Duration { return 0 },
		})
		for _, path := range []string{"/api/v1", "/api/v1/executor"} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-protobuf")
			if json {
				r.Header.Set("Content-Type", "application/json")
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code == http.StatusInternalServerError {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	})
}
