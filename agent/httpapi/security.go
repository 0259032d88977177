package httpapi

import (
	"slices"

	"github.com/gin-gonic/gin"

	"stoa/agent/core"
	"stoa/internal/auth"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesospb"
)

// Realms of authentication.
const (
	RealmReadOnly  = "mesos-agent-readonly"
	RealmReadWrite = "mesos-agent-readwrite"
)

// readOnly and readWrite put a handler behind the authentication of a realm.
func (s *server) readOnly(h gin.HandlerFunc) gin.HandlerFunc {
	return httpd.Authenticated(s.ReadOnly, RealmReadOnly, h)
}

func (s *server) readWrite(h gin.HandlerFunc) gin.HandlerFunc {
	return httpd.Authenticated(s.ReadWrite, RealmReadWrite, h)
}

// allowed says whether the client may do something, or answers that it may not.
func (s *server) allowed(c *gin.Context, action auth.Action, o *auth.Object) bool {
	if s.Authorizer.Allowed(auth.As(httpd.Principal(c)), action, o) {
		return true
	}
	httpd.Forbidden(c)
	return false
}

// ruled puts a handler behind the access control of its path (get_endpoints).
func (s *server) ruled(path string, h gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		if s.allowed(c, auth.GetEndpoint, auth.Named(path)) {
			h(c)
		}
	}
}

// visible is what the client may see of the agent's frameworks.
func (s *server) visible(c *gin.Context, v *core.View) *core.View {
	w := s.Authorizer.View(auth.As(httpd.Principal(c)))
	if w.All() {
		return v
	}
	seen := *v
	seen.Frameworks, seen.Completed = visibleFrameworks(v.Frameworks, w), visibleFrameworks(v.Completed, w)
	seen.Operations = slices.DeleteFunc(slices.Clone(v.Operations), func(o *mesospb.Operation) bool { return !w.Operation(o) })
	return &seen
}

func visibleFrameworks(list []*core.FrameworkView, w auth.View) []*core.FrameworkView {
	var out []*core.FrameworkView
	for _, f := range list {
		if !w.Framework(f.Info) {
			continue
		}
		seen := *f
		seen.Pending = pendingTasks(f.Pending, f, w)
		seen.Executors = visibleExecutors(f.Executors, f, w)
		seen.CompletedExecutors = visibleExecutors(f.CompletedExecutors, f, w)
		out = append(out, &seen)
	}
	return out
}

func visibleExecutors(list []*core.ExecutorView, f *core.FrameworkView, w auth.View) []*core.ExecutorView {
	var out []*core.ExecutorView
	for _, e := range list {
		if !w.Executor(e.Info, f.Info) {
			continue
		}
		seen := *e
		seen.Queued = pendingTasks(e.Queued, f, w)
		for _, tasks := range []*[]*mesospb.Task{&seen.Launched, &seen.Terminated, &seen.Completed} {
			*tasks = slices.DeleteFunc(slices.Clone(*tasks), func(t *mesospb.Task) bool { return !w.Task(t, f.Info) })
		}
		out = append(out, &seen)
	}
	return out
}

func pendingTasks(list []*mesospb.TaskInfo, f *core.FrameworkView, w auth.View) []*mesospb.TaskInfo {
	return slices.DeleteFunc(slices.Clone(list), func(t *mesospb.TaskInfo) bool { return !w.Pending(t, f.Info) })
}

// containerSeen says which containers the client may see.
func (s *server) containerSeen(c *gin.Context) func(*core.FrameworkView, *core.ExecutorView) bool {
	approver := s.Authorizer.Approver(auth.As(httpd.Principal(c)), auth.ViewContainer)
	return func(f *core.FrameworkView, e *core.ExecutorView) bool {
		return approver.Approve(&auth.Object{Executor: e.Info, Framework: f.Info})
	}
}
