package httpapi

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"stoa/agent/core"
	"stoa/internal/auth"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// state answers GET /state (Http::state in src/slave/http.cpp).
func (s *server) state(c *gin.Context, v *core.View) {
	var body []byte
	o := mesosjson.BeginObject(&body)
	o.String("version", s.Build.Version)
	for _, tag := range []struct{ key, value string }{
		{"git_sha", s.Build.GitSHA}, {"git_branch", s.Build.GitBranch}, {"git_tag", s.Build.GitTag},
	} {
		if tag.value != "" {
			o.String(tag.key, tag.value)
		}
	}
	o.String("build_date", s.Build.Date)
	o.Double("build_time", s.Build.Time)
	o.String("build_user", s.Build.User)
	o.Double("start_time", v.StartTime)
	o.String("id", v.Info.GetId().GetValue())
	o.String("pid", s.PID)
	o.String("hostname", v.Info.GetHostname())
	capabilities := o.Array("capabilities")
	for _, capability := range core.Capabilities() {
		capabilities.String(capability.GetType().String())
	}
	capabilities.End()
	if v.Info.Domain != nil {
		o.Message("domain", v.Info.Domain, mesosjson.V0)
	}
	if v.Drain != nil {
		o.Message("drain_config", v.Drain, mesosjson.V0)
		o.Int("estimated_drain_start_time_seconds", v.DrainStart.Unix())
	}
	seen := s.Authorizer.View(auth.As(httpd.Principal(c)))
	s.resources(o, v, seen)
	o.Array("resource_providers").End()
	attributes(o, v.Info.GetAttributes())
	if v.MasterHostname != "" {
		o.String("master_hostname", v.MasterHostname)
	}
	if seen.Flags() {
		for _, key := range []string{"log_dir", "external_log_file"} {
			if value, ok := s.Flags[key]; ok {
				o.String(key, value)
			}
		}
		s.flagsField(o)
	}
	v = s.visible(c, v)
	frameworks := o.Array("frameworks")
	for _, f := range v.Frameworks {
		framework(frameworks, f)
	}
	frameworks.End()
	completed := o.Array("completed_frameworks")
	for _, f := range v.Completed {
		framework(completed, f)
	}
	completed.End()
	o.End()
	httpd.JSON(c, body)
}

// resources writes the agent's total and what of it is in use.
func (s *server) resources(o mesosjson.Object, v *core.View, seen auth.View) {
	roles := func(m map[string]resources.Resources) []string {
		return slices.DeleteFunc(sortedKeys(m), func(role string) bool { return !seen.Role(role) })
	}
	total := v.Total.Unallocate()
	byRole := total.ByReservation()
	summaryField(o, "resources", total.Proto())
	reserved := o.Object("reserved_resources")
	for _, role := range roles(byRole) {
		summaryField(reserved, role, byRole[role].Proto())
	}
	reserved.End()
	summaryField(o, "unreserved_resources", total.Unreserved().Proto())
	full := o.Object("reserved_resources_full")
	for _, role := range roles(byRole) {
		mesosjson.Messages(full, role, forEndpoint(byRole[role]), mesosjson.V0)
	}
	full.End()
	mesosjson.Messages(o, "unreserved_resources_full", forEndpoint(total.Unreserved()), mesosjson.V0)
	inUse := v.Allocated()
	allocatedByRole := inUse.ByReservation()
	allocated := o.Object("reserved_resources_allocated")
	for _, role := range roles(allocatedByRole) {
		summaryField(allocated, role, allocatedByRole[role].Proto())
	}
	allocated.End()
	summaryField(o, "unreserved_resources_allocated", inUse.Unreserved().Proto())
}

func forEndpoint(rs resources.Resources) []*mesospb.Resource {
	list := rs.Proto()
	out := make([]*mesospb.Resource, len(list))
	for i, r := range list {
		out[i] = resources.ForEndpoint(r)
	}
	return out
}

func framework(a mesosjson.Array, f *core.FrameworkView) {
	o := a.Object()
	o.String("id", f.ID)
	o.String("name", f.Info.GetName())
	o.String("user", f.Info.GetUser())
	o.Double("failover_timeout", f.Info.GetFailoverTimeout())
	o.Bool("checkpoint", f.Info.GetCheckpoint())
	o.String("hostname", f.Info.GetHostname())
	if f.Info.Principal != nil {
		o.String("principal", f.Info.GetPrincipal())
	}
	if f.MultiRole() {
		roles := o.Array("roles")
		for _, role := range f.Info.GetRoles() {
			roles.String(role)
		}
		roles.End()
	} else {
		o.String("role", f.Info.GetRole())
	}
	executors := o.Array("executors")
	for _, e := range f.Executors {
		executor(executors, e)
	}
	executors.End()
	completed := o.Array("completed_executors")
	for _, e := range f.CompletedExecutors {
		executor(completed, e)
	}
	completed.End()
	o.End()
}

func executor(a mesosjson.Array, e *core.ExecutorView) {
	o := a.Object()
	o.String("id", e.Run.Executor)
	o.String("name", e.Info.GetName())
	o.String("source", e.Info.GetSource())
	o.String("container", e.Run.Container)
	o.String("directory", e.Directory)
	summaryField(o, "resources", e.Resources().Proto())
	if len(e.Info.GetResources()) > 0 {
		o.String("role", allocationRole(e.Info.GetResources()))
	}
	labelsField(o, e.Info.GetLabels())
	if e.Info.Type != nil {
		o.String("type", e.Info.GetType().String())
	}
	tasks := o.Array("tasks")
	for _, t := range e.Launched {
		task(tasks, t)
	}
	tasks.End()
	queued := o.Array("queued_tasks")
	for _, t := range e.Queued {
		queuedTask(queued, t)
	}
	queued.End()
	completed := o.Array("completed_tasks")
	for _, t := range e.Completed {
		task(completed, t)
	}
	for _, t := range e.Terminated {
		task(completed, t)
	}
	completed.End()
	o.End()
}

// flagsField writes {"name":"value",...}.
func (s *server) flagsField(o mesosjson.Object) {
	flags := o.Object("flags")
	for _, name := range sortedKeys(s.Flags) {
		flags.String(name, s.Flags[name])
	}
	flags.End()
}

// flags answers GET /flags.
func (s *server) flags(c *gin.Context) {
	if s.Authorizer != nil && (!httpd.Allow(c, http.MethodGet) || !s.allowed(c, auth.ViewFlags, nil)) {
		return
	}
	var body []byte
	o := mesosjson.BeginObject(&body)
	s.flagsField(o)
	o.End()
	httpd.JSON(c, body)
}

// version answers GET /version.
func (s *server) version(c *gin.Context) {
	var body []byte
	o := mesosjson.BeginObject(&body)
	o.String("build_date", s.Build.Date)
	o.Double("build_time", s.Build.Time)
	o.String("build_user", s.Build.User)
	for _, tag := range []struct{ key, value string }{
		{"git_branch", s.Build.GitBranch}, {"git_sha", s.Build.GitSHA}, {"git_tag", s.Build.GitTag},
	} {
		if tag.value != "" {
			o.String(tag.key, tag.value)
		}
	}
	o.String("version", s.Build.Version)
	o.End()
	httpd.JSON(c, body)
}
