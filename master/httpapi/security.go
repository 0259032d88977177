package httpapi

import (
	"slices"

	"stoa/internal/auth"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
)

// readOnly and readWrite put a handler behind the authentication of a realm.
func (s *server) readOnly(h gin.HandlerFunc) gin.HandlerFunc {
	return httpd.Authenticated(s.config.ReadOnly, RealmReadOnly, h)
}

func (s *server) readWrite(h gin.HandlerFunc) gin.HandlerFunc {
	return httpd.Authenticated(s.config.ReadWrite, RealmReadWrite, h)
}

// principalOf is who the request comes from; nil is nobody.
func principalOf(c *gin.Context) *string {
	if principal := httpd.Principal(c); principal != "" {
		return &principal
	}
	return nil
}

// view is what the client may see of the cluster.
func (s *server) view(c *gin.Context) auth.View {
	return s.config.Authorizer.View(auth.As(httpd.Principal(c)))
}

// may says whether the client may do something.
func (s *server) may(c *gin.Context, action auth.Action, o *auth.Object) bool {
	return s.config.Authorizer.Allowed(auth.As(httpd.Principal(c)), action, o)
}

// allowed is may, and answers that the client may not.
func (s *server) allowed(c *gin.Context, action auth.Action, o *auth.Object) bool {
	if s.may(c, action, o) {
		return true
	}
	httpd.Forbidden(c)
	return false
}

// allowedRoles makes the check of an action on roles, which the core asks for once it
// knows that the call makes sense.
func (s *server) allowedRoles(c *gin.Context, action auth.Action) func(roles ...string) bool {
	if s.config.Authorizer == nil {
		return nil
	}
	approver := s.config.Authorizer.Approver(auth.As(httpd.Principal(c)), action)
	return func(roles ...string) bool {
		for _, role := range roles {
			if !approver.Approve(auth.Named(role)) {
				return false
			}
		}
		return len(roles) > 0 || approver.Approve(nil)
	}
}

// allowedRole is allowedRoles for one role.
func (s *server) allowedRole(c *gin.Context, action auth.Action) func(role string) bool {
	allowed := s.allowedRoles(c, action)
	if allowed == nil {
		return nil
	}
	return func(role string) bool { return allowed(role) }
}

// allowedOperation makes the check of an operator's operation.
func (s *server) allowedOperation(c *gin.Context) func(*mesospb.Offer_Operation) bool {
	if s.config.Authorizer == nil {
		return nil
	}
	subject := auth.As(httpd.Principal(c))
	return func(op *mesospb.Offer_Operation) bool {
		return s.config.Authorizer.Refused(subject, auth.Operation(op)...) == nil
	}
}

// ruled puts a handler behind the access control of its path (get_endpoints).
func (s *server) ruled(path string, h gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		if s.allowed(c, auth.GetEndpoint, auth.Named(path)) {
			h(c)
		}
	}
}

// frameworksSeen are the frameworks of a list that a client may see, and tasksSeen the
// tasks of one of them.
func frameworksSeen(list []*core.FrameworkView, w auth.View) []*core.FrameworkView {
	if w.All() {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(f *core.FrameworkView) bool { return !w.Framework(f.Info) })
}

func tasksSeen(list []*mesospb.Task, f *core.FrameworkView, w auth.View) []*mesospb.Task {
	if w.All() {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(t *mesospb.Task) bool { return !w.Task(t, f.Info) })
}
