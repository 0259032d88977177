package httpapi

import (
	"maps"
	"slices"

	"stoa/internal/auth"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
)

// state serves /state: everything.
func (s *server) state(c *gin.Context) {
	w := s.view(c)
	s.shared(c, func(dst *[]byte, snapshot *core.Snapshot) { s.appendState(dst, snapshot, w) })
}

func (s *server) appendState(dst *[]byte, snapshot *core.Snapshot, w auth.View) {
	build, info := s.config.Build, s.config.Info
	o := mesosjson.BeginObject(dst)
	o.String("version", build.GetVersion())
	optional := func(key string, value *string) {
		if value != nil {
			o.String(key, *value)
		}
	}
	optional("git_sha", build.GitSha)
	optional("git_branch", build.GitBranch)
	optional("git_tag", build.GitTag)
	o.String("build_date", build.GetBuildDate())
	o.Double("build_time", build.GetBuildTime())
	o.String("build_user", build.GetBuildUser())
	o.Double("start_time", seconds(s.config.Started))
	if !s.config.Elected.IsZero() {
		o.Double("elected_time", seconds(s.config.Elected))
	}
	o.String("id", info.GetId())
	o.String("pid", info.GetPid())
	o.String("hostname", info.GetHostname())
	capabilities := o.Array("capabilities")
	for _, one := range info.GetCapabilities() {
		capabilities.String(one.GetType().String())
	}
	capabilities.End()
	active := 0
	for _, a := range snapshot.Agents {
		if a.Active {
			active++
		}
	}
	o.Double("activated_slaves", float64(active))
	o.Double("deactivated_slaves", float64(len(snapshot.Agents)-active))
	o.Double("unreachable_slaves", float64(snapshot.Unreachable))
	if info.Domain != nil {
		domainField(o, info.Domain)
	}
	if leader := s.config.Leader(); leader != nil {
		o.String("leader", leader.GetPid())
		l := o.Object("leader_info")
		l.String("id", leader.GetId())
		l.String("pid", leader.GetPid())
		l.Int("port", int64(leader.GetPort()))
		l.String("hostname", leader.GetHostname())
		if leader.Domain != nil {
			domainField(l, leader.Domain)
		}
		l.End()
	}
	if w.Flags() {
		for _, flag := range [...]struct{ name, value string }{
			{"cluster", s.config.Cluster}, {"log_dir", s.config.LogDir}, {"external_log_file", s.config.ExternalLogFile},
		} {
			if flag.value != "" {
				o.String(flag.name, flag.value)
			}
		}
		s.flagsField(o)
	}
	agents := o.Array("slaves")
	for _, a := range snapshot.Agents {
		one := agents.Object()
		agentFields(one, dst, a, w)
		one.End()
	}
	agents.End()
	recoveredField(o, snapshot.Recovered, everything)
	frameworksField(o, dst, "frameworks", snapshot.Frameworks, everything, w)
	frameworksField(o, dst, "completed_frameworks", snapshot.Completed, everything, w)
	o.Strings("orphan_tasks", nil)
	o.Strings("unregistered_frameworks", nil)
	o.End()
}

func everything(string) bool { return true }

// selection is the filter of an optional query parameter that holds an id.
func selection(c *gin.Context, parameter string) func(id string) bool {
	want, ok := httpd.Query(c)[parameter]
	if !ok {
		return everything
	}
	return func(id string) bool { return id == want }
}

func frameworksField(o mesosjson.Object, dst *[]byte, key string, list []*core.FrameworkView, wanted func(string) bool, w auth.View) {
	frameworks := o.Array(key)
	for _, f := range list {
		if wanted(f.ID) && w.Framework(f.Info) {
			frameworks.Next()
			appendFramework(dst, f, w)
		}
	}
	frameworks.End()
}

// slaves serves /slaves.
func (s *server) slaves(c *gin.Context) {
	wanted, w := selection(c, "slave_id"), s.view(c)
	s.shared(c, func(dst *[]byte, snapshot *core.Snapshot) {
		o := mesosjson.BeginObject(dst)
		agents := o.Array("slaves")
		for _, a := range snapshot.Agents {
			if wanted(a.ID) {
				agents.Next()
				appendFullAgent(dst, a, w)
			}
		}
		agents.End()
		recoveredField(o, snapshot.Recovered, wanted)
		o.End()
	})
}

// frameworks serves /frameworks.
func (s *server) frameworks(c *gin.Context) {
	wanted, w := selection(c, "framework_id"), s.view(c)
	s.shared(c, func(dst *[]byte, snapshot *core.Snapshot) {
		o := mesosjson.BeginObject(dst)
		frameworksField(o, dst, "frameworks", snapshot.Frameworks, wanted, w)
		frameworksField(o, dst, "completed_frameworks", snapshot.Completed, wanted, w)
		o.Strings("unregistered_frameworks", nil)
		o.End()
	})
}

// summaryStates are the task states that /state-summary counts, in its order.
var summaryStates = [...]mesospb.TaskState{
	mesospb.TaskState_TASK_STAGING, mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING,
	mesospb.TaskState_TASK_KILLING, mesospb.TaskState_TASK_FINISHED, mesospb.TaskState_TASK_KILLED,
	mesospb.TaskState_TASK_FAILED, mesospb.TaskState_TASK_LOST, mesospb.TaskState_TASK_ERROR,
	mesospb.TaskState_TASK_UNREACHABLE,
}

// tally counts the tasks of an agent or a framework, and notes which frameworks or agents
// they belong to.
type tally struct {
	states [len(summaryStates)]int64
	others map[string]struct{}
}

func (t *tally) count(state mesospb.TaskState, other string) {
	if i := slices.Index(summaryStates[:], state); i >= 0 {
		t.states[i]++
	}
	t.others[other] = struct{}{}
}

func (t *tally) fields(o mesosjson.Object, others string) {
	if t == nil {
		t = &tally{}
	}
	for i, state := range summaryStates {
		o.Int(state.String(), t.states[i])
	}
	o.Strings(others, slices.Sorted(maps.Keys(t.others)))
}

// stateSummary serves /state-summary.
func (s *server) stateSummary(c *gin.Context) {
	w := s.view(c)
	s.shared(c, func(dst *[]byte, snapshot *core.Snapshot) { s.appendSummary(dst, snapshot, w) })
}

// appendSummary counts all tasks, also those that a client may not see.
func (s *server) appendSummary(dst *[]byte, snapshot *core.Snapshot, w auth.View) {
	byAgent, byFramework := make(map[string]*tally), make(map[string]*tally)
	of := func(m map[string]*tally, id string) *tally {
		t := m[id]
		if t == nil {
			t = &tally{others: make(map[string]struct{})}
			m[id] = t
		}
		return t
	}
	for _, f := range snapshot.Frameworks {
		for _, list := range [...][]*mesospb.Task{f.Tasks, f.Unreachable, f.CompletedTasks} {
			for _, t := range list {
				agent := t.GetAgentId().GetValue()
				of(byAgent, agent).count(t.GetState(), f.ID)
				of(byFramework, f.ID).count(t.GetState(), agent)
			}
		}
	}
	o := mesosjson.BeginObject(dst)
	o.String("hostname", s.config.Info.GetHostname())
	if s.config.Cluster != "" {
		o.String("cluster", s.config.Cluster)
	}
	agents := o.Array("slaves")
	for _, a := range snapshot.Agents {
		one := agents.Object()
		agentFields(one, dst, a, w)
		byAgent[a.ID].fields(one, "framework_ids")
		one.End()
	}
	agents.End()
	frameworks := o.Array("frameworks")
	for _, f := range frameworksSeen(snapshot.Frameworks, w) {
		one := frameworks.Object()
		frameworkFields(one, dst, f, useOf(f))
		byFramework[f.ID].fields(one, "slave_ids")
		one.End()
	}
	frameworks.End()
	o.End()
}
