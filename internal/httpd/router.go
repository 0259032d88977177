package httpd

import (
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"
)

// Router finds the handler of a Mesos path, "/<actor>/<endpoint>", as libprocess does
// (process.cpp, ProcessManager::handle and ProcessBase::visit):
//
//   - empty segments do not count, and the actor's name is percent-decoded;
//   - a path whose first segment names no actor is that of the delegate;
//   - of an actor's endpoints the longest counts that is a prefix of the path by
//     segments, but the empty one only for the actor's bare path;
//   - a path with "/.." in it is not found.
//
// It is filled before the first request.
type Router struct {
	delegate string
	actors   map[string]map[string]gin.HandlerFunc
	assets   map[string]gin.HandlerFunc
	disabled map[string]bool
}

// NewRouter makes a router whose delegate is an actor, "master" or "slave(1)".
func NewRouter(delegate string) *Router {
	return &Router{delegate: delegate, actors: make(map[string]map[string]gin.HandlerFunc), assets: make(map[string]gin.HandlerFunc)}
}

// Handle serves an endpoint of an actor, such as "maintenance/status", whatever the
// method. The empty endpoint is the actor's bare path.
func (r *Router) Handle(actor, endpoint string, h gin.HandlerFunc) {
	if r.actors[actor] == nil {
		r.actors[actor] = make(map[string]gin.HandlerFunc)
	}
	r.actors[actor][endpoint] = h
}

// Assets serves everything of the delegate below a first segment that is no endpoint,
// such as "assets" of the web UI.
func (r *Router) Assets(segment string, h gin.HandlerFunc) { r.assets[segment] = h }

// Disable switches paths off, before anybody is asked who they are: requests for
// them are answered 403. A path is that of the delegate in full, "/master/state" for
// "/state", and stands for itself only, not for what is below it (--firewall_rules).
func (r *Router) Disable(paths ...string) {
	if r.disabled == nil {
		r.disabled = make(map[string]bool)
	}
	for _, p := range paths {
		r.disabled[p] = true
	}
}

const pathKey = "httpd.path"

// Path is the request's path with the delegate's name in front if the client left it out:
// "/master/state" for "/state".
func Path(c *gin.Context) string { return c.GetString(pathKey) }

// Serve is the engine's NoRoute handler.
func (r *Router) Serve(c *gin.Context) {
	raw := c.Request.URL.EscapedPath()
	if strings.Contains(raw, "/..") {
		NotFound(c)
		return
	}
	segments := strings.FieldsFunc(raw, func(r rune) bool { return r == '/' })
	actor := r.delegate
	if len(segments) == 0 {
		raw = "/" + r.delegate
	} else if name, err := Unescape(segments[0]); err == nil && r.actors[name] != nil {
		actor, segments = name, segments[1:]
	} else {
		raw = "/" + r.delegate + raw
	}
	c.Set(pathKey, raw)
	// Other spellings of a path lead to the same endpoint, so they are off with it.
	plain := strings.TrimSuffix("/"+actor+"/"+strings.Join(segments, "/"), "/")
	for _, p := range [...]string{raw, plain} {
		if r.disabled[p] {
			Text(c, http.StatusForbidden, "Endpoint '"+p+"' is disabled")
			return
		}
	}
	endpoints := r.actors[actor]
	name := strings.Join(segments, "/")
	h := endpoints[name]
	for h == nil && name != "." && name != "" {
		name = path.Dir(name)
		h = endpoints[name]
	}
	if h == nil && actor == r.delegate && len(segments) > 0 {
		h = r.assets[segments[0]]
	}
	if h == nil {
		NotFound(c)
		return
	}
	h(c)
}
