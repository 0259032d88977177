package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"stoa/internal/httpd"
)

// handler answers a request; an error it returns is turned into an answer by fail.
type handler func(c *gin.Context) error

// resource is what one path offers.
type resource struct {
	methods map[string]handler
	// anyType accepts request bodies of any Content-Type; others take JSON only.
	anyType bool
	// anyAnswer leaves the Accept header to the handler.
	anyAnswer bool
	// otherwise answers methods that are not there; nil means the usual 405.
	otherwise handler
}

// serve finds the resource of a path and the handler of a method.
func (s *server) serve(c *gin.Context) {
	r := s.find(c.Request.URL.Path)
	if r == nil && s.UI != nil && isPage(c.Request.URL.Path) {
		s.UI.ServeHTTP(c.Writer, c.Request)
		return
	}
	if r == nil {
		// Releases since 1.6 answer 500, which go-marathon takes for a node that is
		// down: it asks the next one, for ever. This is the answer of 1.5.
		messageOnly(c, http.StatusNotFound, "URI not found: "+c.Request.URL.Path)
		return
	}
	method := c.Request.Method
	h := r.methods[method]
	if method == http.MethodHead && h == nil {
		h = r.methods[http.MethodGet]
	}
	switch {
	case h == nil && method == http.MethodOptions:
		c.Header("Allow", r.allowed())
		httpd.Empty(c, http.StatusOK)
	case h == nil && r.otherwise != nil:
		if err := r.otherwise(c); err != nil {
			s.fail(c, err)
		}
	case h == nil:
		c.Header("Allow", r.allowed())
		messageOnly(c, http.StatusMethodNotAllowed, "Method Not Allowed")
	case !r.anyType && !sendsJSON(c.Request):
		messageOnly(c, http.StatusUnsupportedMediaType, "Unsupported Media Type")
	case !r.anyAnswer && !httpd.AcceptsType(c.Request, httpd.TypeJSON):
		messageOnly(c, http.StatusNotAcceptable, "Not Acceptable")
	default:
		if err := h(c); err != nil {
			s.fail(c, err)
		}
	}
}

func (r *resource) allowed() string {
	methods := []string{http.MethodOptions}
	for method := range r.methods {
		methods = append(methods, method)
		if method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return strings.Join(slices.Compact(methods), ",")
}

// sendsJSON tells whether the body, if it has a type, is JSON.
func sendsJSON(r *http.Request) bool {
	given := r.Header.Get("Content-Type")
	media, _, _ := strings.Cut(given, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || media == httpd.TypeJSON || media == "application/*" || media == "*/*"
}

// get is a resource that can only be read.
func get(h handler) *resource {
	return &resource{methods: map[string]handler{http.MethodGet: h}}
}

// find is the whole table of paths. Ids may hold slashes, and empty elements do not count,
// so everything below a prefix is told apart by its end.
func (s *server) find(path string) *resource {
	path = strings.TrimRight(path, "/")
	switch path {
	case "":
		return &resource{methods: map[string]handler{http.MethodGet: s.redirectToUI}, anyType: true, anyAnswer: true}
	case "/ping":
		return &resource{methods: map[string]handler{http.MethodGet: s.ping}, anyType: true, anyAnswer: true}
	case "/metrics":
		return get(s.metrics)
	case "/metrics/prometheus":
		return &resource{methods: map[string]handler{http.MethodGet: s.prometheus}, anyType: true, anyAnswer: true}
	case "/logging":
		return &resource{methods: map[string]handler{http.MethodGet: s.loggers, http.MethodPost: s.changeLogger}}
	case "/v2/info":
		return get(s.info)
	case "/v2/leader":
		return &resource{methods: map[string]handler{http.MethodGet: s.leader, http.MethodDelete: s.abdicate}}
	case "/v2/plugins":
		return get(s.plugins)
	case "/v2/events":
		return &resource{methods: map[string]handler{http.MethodGet: s.events}, otherwise: s.noEvents, anyType: true, anyAnswer: true}
	case "/v2/eventSubscriptions":
		return s.subscriptions()
	case "/v2/tasks":
		return &resource{methods: map[string]handler{http.MethodGet: s.tasks}, anyType: true, anyAnswer: true}
	case "/v2/tasks/delete":
		return &resource{methods: map[string]handler{http.MethodPost: s.deleteTasks}}
	case "/v2/deployments":
		return get(s.deployments)
	case "/v2/queue":
		return get(s.queue)
	}
	if rest, ok := strings.CutPrefix(path, "/v2/apps"); ok && (rest == "" || rest[0] == '/') {
		return s.findApps(strings.Trim(rest, "/"))
	}
	if rest, ok := strings.CutPrefix(path, "/v2/groups"); ok && (rest == "" || rest[0] == '/') {
		return s.findGroups(strings.Trim(rest, "/"))
	}
	if rest, ok := strings.CutPrefix(path, "/v2/deployments/"); ok && !strings.Contains(rest, "/") {
		return &resource{methods: map[string]handler{http.MethodDelete: func(c *gin.Context) error { return s.deleteDeployment(c, rest) }}}
	}
	if rest, ok := strings.CutPrefix(path, "/v2/queue/"); ok {
		if appID, ok := strings.CutSuffix(rest, "/delay"); ok && appID != "" {
			return &resource{methods: map[string]handler{http.MethodDelete: func(c *gin.Context) error { return s.resetDelay(c, appID) }}}
		}
	}
	if path == "/v2/pods" || strings.HasPrefix(path, "/v2/pods/") {
		return &resource{otherwise: noPods, anyType: true, anyAnswer: true}
	}
	if rest, ok := strings.CutPrefix(path, "/v2/plugins/"); ok {
		return s.unknownPlugin(rest)
	}
	return nil
}

// isPage tells the paths of the web pages from those of the API.
func isPage(path string) bool {
	for _, prefix := range [...]string{"/ui", "/help", "/api-console", "/public"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// noPods answers clients that probe for pods the way releases without pods did: 404, since
// some clients take any 500 for a node that is down.
func noPods(c *gin.Context) error {
	return unknown("URI not found: " + c.Request.URL.Path)
}

// findApps tells the resources below /v2/apps apart.
func (s *server) findApps(rest string) *resource {
	with := func(h func(*gin.Context, string) error, raw string) handler {
		return func(c *gin.Context) error { return h(c, raw) }
	}
	if rest == "" {
		return &resource{methods: map[string]handler{
			http.MethodGet: s.listApps, http.MethodPost: s.createApp,
			http.MethodPut: s.putApps, http.MethodPatch: s.patchApps,
		}}
	}
	elements := strings.FieldsFunc(rest, func(r rune) bool { return r == '/' })
	last := len(elements) - 1
	if last >= 1 && elements[last] == "tasks" {
		raw := strings.Join(elements[:last], "/")
		return &resource{methods: map[string]handler{http.MethodGet: with(s.appTasks, raw), http.MethodDelete: with(s.deleteAppTasks, raw)},
			anyAnswer: true}
	}
	if last >= 2 && elements[last-1] == "tasks" {
		raw, taskID := strings.Join(elements[:last-1], "/"), elements[last]
		return &resource{methods: map[string]handler{http.MethodDelete: func(c *gin.Context) error { return s.deleteAppTask(c, raw, taskID) }}}
	}
	if last >= 1 && elements[last] == "versions" {
		return get(with(s.appVersions, strings.Join(elements[:last], "/")))
	}
	if last >= 2 && elements[last-1] == "versions" {
		raw, version := strings.Join(elements[:last-1], "/"), elements[last]
		return get(func(c *gin.Context) error { return s.appVersion(c, raw, version) })
	}
	methods := map[string]handler{
		http.MethodGet: with(s.showApp, rest), http.MethodPut: with(s.putApp, rest),
		http.MethodPatch: with(s.patchApp, rest), http.MethodDelete: with(s.deleteApp, rest),
	}
	if last >= 1 && elements[last] == "restart" {
		methods[http.MethodPost] = with(s.restartApp, strings.Join(elements[:last], "/"))
	}
	return &resource{methods: methods}
}

// findGroups tells the resources below /v2/groups apart.
func (s *server) findGroups(rest string) *resource {
	with := func(h func(*gin.Context, string) error) handler {
		return func(c *gin.Context) error { return h(c, rest) }
	}
	methods := map[string]handler{
		http.MethodGet: with(s.readGroup), http.MethodPost: with(s.createGroup),
		http.MethodPut: with(s.putGroup), http.MethodDelete: with(s.deleteGroup),
	}
	if rest != "" {
		methods[http.MethodPatch] = with(s.patchGroup)
	}
	return &resource{methods: methods, anyType: true}
}
