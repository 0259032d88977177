package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"stoa/marathon/app"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/instance"
)

// sink takes an answer and keeps its length.
type sink struct {
	header http.Header
	length int
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Write(part []byte) (int, error) {
	s.length += len(part)
	return len(part), nil
}

// manyApps is a backend with 5,000 apps and two tasks each.
func manyApps(b *testing.B) *memory {
	backend := newMemory(t0)
	definition := []byte(`{"id":"/web","cmd":"sleep 100","env":{"A":"1","B":"2"},"labels":{"HAPROXY_GROUP":"external"},"healthChecks":[{"path":"/health","portIndex":0}],"portDefinitions":[{"port":0}]}`)
	blank, err := app.Create(definition, id.Root, &app.Settings{Roles: app.Roles{Default: "*", Valid: []string{"*"}}}, t0)
	if err != nil {
		b.Fatal(err)
	}
	root := &group.Group{ID: id.Root, Version: t0}
	backend.view.Instances = map[id.Path][]*instance.Instance{}
	for n := range 5000 {
		one := *blank
		one.ID = id.Path(fmt.Sprintf("/app-%05d", n))
		root.Apps = append(root.Apps, &one)
		backend.view.Instances[one.ID] = []*instance.Instance{
			placed(one.ID, uuid1, "agent-1", instance.Running), placed(one.ID, uuid2, "agent-2", instance.Running),
		}
	}
	backend.view.Root = &group.Root{Group: *root}
	return backend
}

// BenchmarkListApps reads them all.
func BenchmarkListApps(b *testing.B) {
	handler := New(Options{Backend: manyApps(b)})
	request := httptest.NewRequest("GET", "/v2/apps?embed=apps.tasks", nil)
	b.ReportAllocs()
	for b.Loop() {
		sink := &sink{header: http.Header{}}
		handler.ServeHTTP(sink, request)
		b.SetBytes(int64(sink.length))
	}
}

// BenchmarkScale changes one of 5,000 apps.
func BenchmarkScale(b *testing.B) {
	backend := manyApps(b)
	backend.settings.ServicePorts.Max = 1 << 16
	handler := New(Options{Backend: backend})
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		body := strings.NewReader(fmt.Sprintf(`{"instances":%d}`, n%7+1))
		sink := &sink{header: http.Header{}}
		handler.ServeHTTP(sink, httptest.NewRequest("PUT", "/v2/apps/app-00042?force=true", body))
		backend.trees, backend.posted = nil, nil
	}
}
