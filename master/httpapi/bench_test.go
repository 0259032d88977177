package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/master/core"

	"google.golang.org/protobuf/proto"
)

// largeSnapshot is a cluster with that many agents and running tasks.
func largeSnapshot(b *testing.B, agents, tasks int) *core.Snapshot {
	b.Helper()
	total, err := resources.Parse("cpus:64;mem:262144;disk:1000000;ports:[31000-32000]", "*")
	if err != nil {
		b.Fatal(err)
	}
	s := &core.Snapshot{Revision: 1}
	for i := range agents {
		id := fmt.Sprintf("556509fc-8c4d-40a9-884c-6d882414181d-S%d", i)
		s.Agents = append(s.Agents, &core.AgentView{
			ID: id, PID: fmt.Sprintf("slave(1)@10.%d.%d.%d:5051", i>>16, i>>8&255, i&255), Version: "1.11.0",
			Info: &mesospb.AgentInfo{
				Id: &mesospb.AgentID{Value: &id}, Hostname: proto.String("agent.example"), Port: proto.Int32(5051),
				Resources: total.Proto(),
			},
			Registered: time.Unix(1_700_000_000, 0), Connected: true, Active: true, Total: total,
		})
	}
	f := &core.FrameworkView{
		ID: "556509fc-8c4d-40a9-884c-6d882414181d-0000", State: core.Active, Registered: time.Unix(1_700_000_000, 0),
		Info: &mesospb.FrameworkInfo{User: proto.String("root"), Name: proto.String("marathon"), Roles: []string{"*"}},
	}
	f.Capabilities.MultiRole = true
	used := resources.New(&mesospb.Resource{
		Name: proto.String("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(0.1)},
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String("*")},
	}, &mesospb.Resource{
		Name: proto.String("mem"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(32)},
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String("*")},
	}).Proto()
	status := func(state mesospb.TaskState) *mesospb.TaskStatus {
		return &mesospb.TaskStatus{
			State: state.Enum(), Timestamp: proto.Float64(1700000000.123456),
			ContainerStatus: &mesospb.ContainerStatus{
				ContainerId:  &mesospb.ContainerID{Value: proto.String("45c15935-f6ff-43a6-afeb-318dfd07df08")},
				NetworkInfos: []*mesospb.NetworkInfo{{IpAddresses: []*mesospb.NetworkInfo_IPAddress{{IpAddress: proto.String("10.0.0.1")}}}},
			},
		}
	}
	statuses := []*mesospb.TaskStatus{status(mesospb.TaskState_TASK_STARTING), status(mesospb.TaskState_TASK_RUNNING)}
	for i := range tasks {
		id := fmt.Sprintf("app.instance-%08d", i)
		f.Tasks = append(f.Tasks, &mesospb.Task{
			TaskId: &mesospb.TaskID{Value: &id}, Name: proto.String("app"), FrameworkId: &mesospb.FrameworkID{Value: &f.ID},
			AgentId: s.Agents[i%agents].Info.Id, State: mesospb.TaskState_TASK_RUNNING.Enum(), Resources: used, Statuses: statuses,
		})
	}
	s.Frameworks = append(s.Frameworks, f)
	return s
}

type discardWriter struct {
	header http.Header
	n      int
}

func (w *discardWriter) Header() http.Header         { return w.header }
func (w *discardWriter) Write(p []byte) (int, error) { w.n += len(p); return len(p), nil }
func (w *discardWriter) WriteHeader(int)             {}

func BenchmarkDocuments(b *testing.B) {
	snapshot := largeSnapshot(b, 40_000, 50_000)
	t := &testing.T{}
	config := recordedMaster(t, `{"id":"m","leader_info":{"port":5050}}`, snapshot)
	handler := New(config)
	for _, path := range []string{"/state", "/slaves", "/state-summary", "/tasks", "/roles", "/metrics/snapshot", "GET_STATE", "GET_TASKS"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				r := httptest.NewRequest(http.MethodGet, "/state", nil)
				if strings.HasPrefix(path, "GET_") {
					r = httptest.NewRequest(http.MethodPost, "/api/v1", strings.NewReader(`{"type":"`+path+`"}`))
					r.Header.Set("Content-Type", "application/json")
				} else {
					r.URL.Path = path
				}
				w := &discardWriter{header: make(http.Header)}
				handler.ServeHTTP(w, r)
				b.SetBytes(int64(w.n))
			}
		})
	}
}
