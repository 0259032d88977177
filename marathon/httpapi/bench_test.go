package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
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

// BenchmarkListApps reads 5,000 apps with two tasks each.
func BenchmarkListApps(b *testing.B) {
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
	handler := New(Options{Backend: backend})
	request := httptest.NewRequest("GET", "/v2/apps?embed=apps.tasks", nil)
	b.ReportAllocs()
	for b.Loop() {
		sink := &sink{header: http.Header{}}
		handler.ServeHTTP(sink, request)
		b.SetBytes(int64(sink.length))
	}
}
