package httpapi

import (
	"context"

	"github.com/gin-gonic/gin"
	"google.golang.org/protobuf/proto"

	"stoa/agent/core"
	"stoa/internal/files"
	"stoa/internal/httpd"
	"stoa/internal/mesos/agentpb"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
)

func (s *server) getFlags() *agentpb.Response_GetFlags {
	out := &agentpb.Response_GetFlags{}
	for _, name := range sortedKeys(s.Flags) {
		out.Flags = append(out.Flags, &mesospb.Flag{Name: proto.String(name), Value: proto.String(s.Flags[name])})
	}
	return out
}

func (s *server) getVersion() *agentpb.Response_GetVersion {
	optional := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	return &agentpb.Response_GetVersion{VersionInfo: &mesospb.VersionInfo{
		Version: &s.Build.Version, BuildDate: optional(s.Build.Date), BuildTime: &s.Build.Time,
		BuildUser: optional(s.Build.User), GitSha: optional(s.Build.GitSHA),
		GitBranch: optional(s.Build.GitBranch), GitTag: optional(s.Build.GitTag),
	}}
}

func (s *server) getMetrics(ctx context.Context) *agentpb.Response_GetMetrics {
	m := s.metrics(ctx)
	out := &agentpb.Response_GetMetrics{}
	for _, name := range sortedKeys(m) {
		out.Metrics = append(out.Metrics, &mesospb.Metric{Name: proto.String(name), Value: proto.Float64(m[name])})
	}
	return out
}

// fileCall fills the answer to LIST_FILES or READ_FILE; if it fails it has answered.
func (s *server) fileCall(c *gin.Context, call *agentpb.Call, response *agentpb.Response) bool {
	path := call.GetListFiles().GetPath()
	if call.GetType() == agentpb.Call_READ_FILE {
		path = call.GetReadFile().GetPath()
	}
	if !s.Files.Allowed(path, httpd.Principal(c)) {
		httpd.Forbidden(c)
		return false
	}
	if call.GetType() == agentpb.Call_LIST_FILES {
		list, err := s.Files.List(call.GetListFiles().GetPath())
		if err != nil {
			files.Refuse(c, err)
			return false
		}
		response.ListFiles = &agentpb.Response_ListFiles{}
		for _, info := range list {
			response.ListFiles.FileInfos = append(response.ListFiles.FileInfos, &mesospb.FileInfo{
				Path: proto.String(info.Path), Nlink: proto.Int32(int32(info.Links)), Size: proto.Uint64(uint64(info.Size)),
				Mtime: &mesospb.TimeInfo{Nanoseconds: proto.Int64(info.MTime.Unix() * 1e9)},
				Mode:  proto.Uint32(info.Mode), Uid: proto.String(info.User), Gid: proto.String(info.Group),
			})
		}
		return true
	}
	read := call.GetReadFile()
	length := int64(-1)
	if read.Length != nil {
		length = int64(min(read.GetLength(), uint64(files.MaxRead)))
	}
	size, data, err := s.Files.Read(read.GetPath(), read.GetOffset(), length)
	if err != nil {
		files.Refuse(c, err)
		return false
	}
	response.ReadFile = &agentpb.Response_ReadFile{Size: proto.Uint64(uint64(size)), Data: append([]byte{}, data...)}
	return true
}

// getContainers is nil if there are none: the original leaves the field out then.
func (s *server) getContainers(c *gin.Context, v *core.View) *agentpb.Response_GetContainers {
	list := s.inspect(c.Request.Context(), v, s.containerSeen(c))
	if len(list) == 0 {
		return nil
	}
	out := &agentpb.Response_GetContainers{}
	for _, one := range list {
		out.Containers = append(out.Containers, &agentpb.Response_GetContainers_Container{
			FrameworkId:        one.framework.Info.GetId(),
			ExecutorId:         one.executor.Info.GetExecutorId(),
			ExecutorName:       proto.String(one.executor.Info.GetName()),
			ContainerId:        &mesospb.ContainerID{Value: proto.String(one.executor.Run.Container)},
			ContainerStatus:    one.status,
			ResourceStatistics: one.statistics,
		})
	}
	return out
}

func getAgent(v *core.View) *agentpb.Response_GetAgent {
	out := &agentpb.Response_GetAgent{AgentInfo: v.Info}
	if v.Drain != nil {
		out.DrainConfig = v.Drain
		out.EstimatedDrainStartTime = &mesospb.TimeInfo{Nanoseconds: proto.Int64(v.DrainStart.Unix() * 1e9)}
	}
	return out
}

// answerState answers the calls that list tasks, executors and frameworks. As JSON they are
// written by hand, since every list shows even when it is empty.
func (s *server) answerState(c *gin.Context, v *core.View, t agentpb.Call_Type, accept string) {
	tasks, executors, frameworks := getTasks(v), getExecutors(v), getFrameworks(v)
	if accept != httpd.TypeJSON {
		response := &agentpb.Response{Type: responseType(t).Enum()}
		switch t {
		case agentpb.Call_GET_TASKS:
			response.GetTasks = tasks
		case agentpb.Call_GET_EXECUTORS:
			response.GetExecutors = executors
		case agentpb.Call_GET_FRAMEWORKS:
			response.GetFrameworks = frameworks
		default:
			response.GetState = &agentpb.Response_GetState{GetTasks: tasks, GetExecutors: executors, GetFrameworks: frameworks}
		}
		answerMessage(c, response, accept, mesosjson.AsV1)
		return
	}
	var body []byte
	o := mesosjson.BeginObject(&body)
	o.String("type", t.String())
	switch t {
	case agentpb.Call_GET_TASKS:
		tasksField(o, tasks)
	case agentpb.Call_GET_EXECUTORS:
		executorsField(o, executors)
	case agentpb.Call_GET_FRAMEWORKS:
		frameworksField(o, frameworks)
	default:
		state := o.Object("get_state")
		tasksField(state, tasks)
		executorsField(state, executors)
		frameworksField(state, frameworks)
		state.End()
	}
	o.End()
	httpd.Bytes(c, 200, httpd.TypeJSON, body)
}

func tasksField(parent mesosjson.Object, tasks *agentpb.Response_GetTasks) {
	o := parent.Object("get_tasks")
	mesosjson.Messages(o, "pending_tasks", tasks.PendingTasks, mesosjson.AsV1)
	mesosjson.Messages(o, "queued_tasks", tasks.QueuedTasks, mesosjson.AsV1)
	mesosjson.Messages(o, "launched_tasks", tasks.LaunchedTasks, mesosjson.AsV1)
	mesosjson.Messages(o, "terminated_tasks", tasks.TerminatedTasks, mesosjson.AsV1)
	mesosjson.Messages(o, "completed_tasks", tasks.CompletedTasks, mesosjson.AsV1)
	o.End()
}

func executorsField(parent mesosjson.Object, executors *agentpb.Response_GetExecutors) {
	o := parent.Object("get_executors")
	mesosjson.Messages(o, "executors", executors.Executors, mesosjson.AsV1)
	mesosjson.Messages(o, "completed_executors", executors.CompletedExecutors, mesosjson.AsV1)
	o.End()
}

func frameworksField(parent mesosjson.Object, frameworks *agentpb.Response_GetFrameworks) {
	o := parent.Object("get_frameworks")
	mesosjson.Messages(o, "frameworks", frameworks.Frameworks, mesosjson.AsV1)
	mesosjson.Messages(o, "completed_frameworks", frameworks.CompletedFrameworks, mesosjson.AsV1)
	o.End()
}

// everyFramework is the active and the completed frameworks.
func everyFramework(v *core.View) []*core.FrameworkView {
	return append(append([]*core.FrameworkView(nil), v.Frameworks...), v.Completed...)
}

func getTasks(v *core.View) *agentpb.Response_GetTasks {
	out := &agentpb.Response_GetTasks{}
	for _, f := range everyFramework(v) {
		for _, t := range f.Pending {
			out.PendingTasks = append(out.PendingTasks, core.StagingTask(t, f.ID))
		}
		for _, list := range [][]*core.ExecutorView{f.Executors, f.CompletedExecutors} {
			for _, e := range list {
				for _, t := range e.Queued {
					out.QueuedTasks = append(out.QueuedTasks, core.StagingTask(t, f.ID))
				}
				out.LaunchedTasks = append(out.LaunchedTasks, e.Launched...)
				out.TerminatedTasks = append(out.TerminatedTasks, e.Terminated...)
				out.CompletedTasks = append(out.CompletedTasks, e.Completed...)
			}
		}
	}
	return out
}

func getExecutors(v *core.View) *agentpb.Response_GetExecutors {
	out := &agentpb.Response_GetExecutors{}
	for _, f := range everyFramework(v) {
		for _, e := range f.Executors {
			out.Executors = append(out.Executors, &agentpb.Response_GetExecutors_Executor{ExecutorInfo: e.Info})
		}
		for _, e := range f.CompletedExecutors {
			out.CompletedExecutors = append(out.CompletedExecutors, &agentpb.Response_GetExecutors_Executor{ExecutorInfo: e.Info})
		}
	}
	return out
}

func getFrameworks(v *core.View) *agentpb.Response_GetFrameworks {
	out := &agentpb.Response_GetFrameworks{}
	for _, f := range v.Frameworks {
		out.Frameworks = append(out.Frameworks, &agentpb.Response_GetFrameworks_Framework{FrameworkInfo: f.Info})
	}
	for _, f := range v.Completed {
		out.CompletedFrameworks = append(out.CompletedFrameworks, &agentpb.Response_GetFrameworks_Framework{FrameworkInfo: f.Info})
	}
	return out
}
