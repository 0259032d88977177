package httpapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"stoa/marathon/app"
	"stoa/marathon/timestamp"
)

const t0Text = "2021-02-03T04:05:06.007Z"

var t0 = func() timestamp.Timestamp {
	at, err := timestamp.Parse(t0Text)
	if err != nil {
		panic(err)
	}
	return at
}()

// api is the whole API over a socket.
type api struct {
	*testing.T
	backend *memory
	url     string
}

func start(t *testing.T, change func(*Options)) *api {
	backend := newMemory(t0)
	options := Options{Backend: backend, LeaderURL: "http://h:8080", Now: t0.Time, App: app.Settings{MesosBridgeName: "mesos-bridge"}}
	if change != nil {
		change(&options)
	}
	server := httptest.NewServer(New(options))
	t.Cleanup(server.Close)
	return &api{t, backend, server.URL}
}

type reply struct {
	*http.Response
	body string
}

// do sends a request; headers are "Name: value". JSON bodies have no Content-Type unless given.
func (a *api) do(method, path, body string, headers ...string) reply {
	a.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequest(method, a.url+path, reader)
	if err != nil {
		a.Fatal(err)
	}
	request.Host = "h:8080"
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Add(name, value)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		a.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		a.Fatal(err)
	}
	return reply{response, string(text)}
}

// want checks status and body. A body that ends in "…" is a beginning.
func (a *api) want(r reply, status int, body string) {
	a.Helper()
	beginning, open := strings.CutSuffix(body, "…")
	if r.StatusCode != status || !open && r.body != body || !strings.HasPrefix(r.body, beginning) {
		a.Errorf("%s %s\n got %d %s\nwant %d %s", r.Request.Method, r.Request.URL, r.StatusCode, r.body, status, body)
	}
}

func (a *api) header(r reply, name, want string) {
	a.Helper()
	if got := r.Header.Get(name); got != want {
		a.Errorf("%s %s: header %s is %q, want %q", r.Request.Method, r.Request.URL, name, got, want)
	}
}

const created1 = `{"id":"/web","backoffFactor":1.15,"backoffSeconds":1,"cmd":"sleep 100","cpus":1.0,"disk":0.0,"executor":"","instances":1,"labels":{},"maxLaunchDelaySeconds":300,"mem":128.0,"gpus":0,"networks":[{"mode":"host"}],"portDefinitions":[{"port":0,"name":"default","protocol":"tcp"}],"requirePorts":false,"upgradeStrategy":{"maximumOverCapacity":1.0,"minimumHealthCapacity":1.0},"version":"2021-02-03T04:05:06.007Z","killSelection":"YOUNGEST_FIRST","unreachableStrategy":{"inactiveAfterSeconds":0,"expungeAfterSeconds":0},"role":"*","tasksStaged":0,"tasksRunning":0,"tasksHealthy":0,"tasksUnhealthy":0,"deployments":[{"id":"D1"}]}`

func TestAppFromPostToDelete(t *testing.T) {
	a := start(t, nil)
	r := a.do("POST", "/v2/apps", `{"id":"/web","cmd":"sleep 100"}`)
	a.want(r, 201, created1)
	a.header(r, "Location", "http://h:8080/web")
	a.header(r, "Marathon-Deployment-Id", "D1")
	a.header(r, "Content-Type", "application/json")
	if want := `127.0.0.1 /v2/apps {"id":"/web","backoffFactor":1.15,"backoffSeconds":1,"cmd":"sleep 100","cpus":1,"disk":0,`; !strings.HasPrefix(a.backend.posted[0], want) {
		t.Errorf("event: %s", a.backend.posted[0])
	}
	a.want(a.do("POST", "/v2/apps", `{"id":"/web","cmd":"sleep 100"}`), 409, `{"message":"An app with id [/web] already exists."}`)

	shown := strings.NewReplacer(`"port":0`, `"port":10000`, t0Text+`",`, t0Text+`","versionInfo":{"lastScalingAt":"`+t0Text+`","lastConfigChangeAt":"`+t0Text+`"},`).Replace(created1)
	a.want(a.do("GET", "/v2/apps", ""), 200, `{"apps":[`+shown+`]}`)
	withTasks := strings.TrimSuffix(shown, "}") + `,"tasks":[]}`
	a.want(a.do("GET", "/v2/apps//web", ""), 200, `{"app":`+withTasks+`}`)
	a.want(a.do("GET", "/v2/apps/web/", ""), 200, `{"app":`+withTasks+`}`)
	a.want(a.do("GET", "/v2/apps/*", ""), 200, `{"*":[`+withTasks+`]}`)

	r = a.do("PUT", "/v2/apps/web", `{"instances":3}`)
	a.want(r, 409, `{"message":"App is locked by one or more deployments. Override with the option '?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'.","deployments":[{"id":"D1"}]}`)
	a.want(a.do("PUT", "/v2/apps/web?force=1", `{"instances":3}`), 409, `{"message":"App is locked…`)
	a.backend.finish()
	r = a.do("PUT", "/v2/apps/web", `{"instances":3}`)
	a.want(r, 200, `{"deploymentId":"D4","version":"2021-02-03T04:05:06.008Z"}`)
	a.header(r, "Marathon-Deployment-Id", "D4")
	a.header(r, "Location", "")
	a.backend.finish()

	a.want(a.do("GET", "/v2/apps/web/versions", ""), 200, `{"versions":["2021-02-03T04:05:06.008Z","2021-02-03T04:05:06.007Z"]}`)
	a.want(a.do("GET", "/v2/apps/web/versions/"+t0Text, ""), 200, `{"id":"/web",…`)
	a.want(a.do("GET", "/v2/apps/web/versions/yesterday", ""), 422, `{"message":"Invalid timestamp provided 'yesterday'. Expecting ISO-8601 datetime string."}`)
	a.want(a.do("GET", "/v2/apps/web/versions/1999-01-01T00:00:00.000Z", ""), 404, `{"message":"App '/web' does not exist in version 1999-01-01T00:00:00.000Z","details":[]}`)

	a.want(a.do("POST", "/v2/apps/web/restart", ""), 200, `{"deploymentId":"D5","version":"2021-02-03T04:05:06.009Z"}`)
	a.want(a.do("GET", "/v2/apps/web/versions", ""), 200, `{"versions":["2021-02-03T04:05:06.009Z",…`)
	a.backend.finish()
	a.want(a.do("PUT", "/v2/apps/web", `{"version":"`+t0Text+`"}`), 200, `{"deploymentId":"D6",…`)
	if instances := a.backend.Snapshot().Root.App("/web").Instances; instances != 1 {
		t.Errorf("%d instances after the rollback", instances)
	}
	// No force, and still it goes through: DELETE forces by default.
	a.want(a.do("DELETE", "/v2/apps/web", ""), 200, `{"deploymentId":"D7",…`)
	a.want(a.do("GET", "/v2/apps/web", ""), 404, `{"message":"App '/web' does not exist","details":[]}`)
	a.want(a.do("GET", "/v2/apps", ""), 200, `{"apps":[]}`)
}

func TestErrorsOfApps(t *testing.T) {
	a := start(t, nil)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/v2/apps", `{"id":"/web2"}`, 422, `{"message":"Object is not valid","details":[{"path":"/","errors":["AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."]}]}`},
		{"POST", "/v2/apps", `{"id":"/Web","cmd":"sleep 1"}`, 422, `{"message":"Invalid JSON","details":[{"path":"/id","errors":["error.pattern"]}]}`},
		{"POST", "/v2/apps", `{"cmd":"sleep 1"}`, 422, `{"message":"Invalid JSON","details":[{"path":"/id","errors":["'id' is undefined on object: {\"cmd\":\"sleep 1\"}"]}]}`},
		{"POST", "/v2/apps", `{"idd":"basic1","cpus":0.1,"mem":10.0}`, 422, `{"message":"Invalid JSON","details":[{"path":"/id","errors":["'id' is undefined on object: {\"idd\":\"basic1\",\"cpus\":0.1,\"mem\":10}"]}]}`},
		{"POST", "/v2/apps", "{\n  \"id\": \"basic1\",\n  \"cmd\": \"sleep 1\"\n  \"cpus\": 0.1\n}", 400, `{"message":"Invalid JSON","details":"Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries"}`},
		{"POST", "/v2/apps", `{"id":"/test"`, 400, `{"message":"Invalid JSON","details":"Unexpected end-of-input: expected close marker for Object (start marker at [Source: (byte[])\"{\"id\":\"/test\"\"; line: 1, column: 1])"}`},
		{"POST", "/v2/apps", ``, 400, `{"message":"Please specify data in JSON format","details":"No content to map due to end-of-input\n at [Source: (byte[])\"\"; line: 1, column: 0]"}`},
		{"POST", "/v2/apps", `{"id":"/a","cmd":"sleep 1","healthChecks":[{"protocol":"COMMAND"}]}`, 500, `{"message":"illegal protocol COMMAND for non-command health check"}`},
		{"GET", "/v2/apps/none", ``, 404, `{"message":"App '/none' does not exist","details":[]}`},
		{"DELETE", "/v2/apps/none", ``, 404, `{"message":"App '/none' does not exist"}`},
		{"POST", "/v2/apps/none/restart", ``, 404, `{"message":"App '/none' does not exist"}`},
		{"PATCH", "/v2/apps/new2", `{"cmd":"sleep 5"}`, 404, `{"message":"App '/new2' does not exist"}`},
		{"PATCH", "/v2/apps/new2", `{"instances":3}`, 422, `{"message":"Object is not valid",…`},
		{"PUT", "/v2/apps/new2", `[]`, 422, `{"message":"Invalid JSON","details":[{"path":"","errors":["error.expected.jsobject"]}]}`},
		{"PUT", "/v2/apps", `[{"instances":2}]`, 422, `{"message":"requirement failed: App Update must have app id set"}`},
		{"PUT", "/v2/apps", `{"id":"a"}`, 422, `{"message":"Invalid JSON","details":[{"path":"","errors":["error.expected.jsarray"]}]}`},
		{"PUT", "/v2/apps", `[{"id":"a","cpus":"1"}]`, 422, `{"message":"Invalid JSON","details":[{"path":"(0)/cpus","errors":["error.expected.jsnumber"]}]}`},
		{"PATCH", "/v2/apps", `[{"id":"a","cmd":"sleep 1"}]`, 404, `{"message":"App '/a' does not exist"}`},
		{"GET", "/v2/apps?label=a%20in%20(b", ``, 422, `{"message":"Can not parse label selector a in (b. Reason: …`},
		{"GET", "/v2/apps/none/tasks", ``, 404, `{"message":"App '/none' does not exist","details":[]}`},
		{"DELETE", "/v2/apps/none/tasks", ``, 404, `{"message":"App '/none' does not exist","details":[]}`},
		{"DELETE", "/v2/apps/none/tasks?scale=TRUE", ``, 404, `{"message":"Path '/none' does not exist"}`},
		{"DELETE", "/v2/apps/web/tasks?scale=true&wipe=true", ``, 400, `{"message":"You cannot use scale and wipe at the same time."}`},
		{"GET", "/v2/apps/none/versions", ``, 404, `{"message":"App '/none' does not exist","details":[]}`},
		{"GET", "/v2/apps/shop/*", ``, 404, `{"message":"Group '/shop' does not exist","details":[]}`},
		{"POST", "/v2/apps/web", `{}`, 405, `{"message":"Method Not Allowed"}`},
		{"GET", "/v2/nothing", ``, 404, `{"message":"URI not found: /v2/nothing"}`},
		{"POST", "/v2/tasks/delete", `{"ids":["x"]}`, 400, `{"message":"Invalid task id 'x'. [taskId x no valid identifier (of class java.lang.String)]"}`},
		{"POST", "/v2/tasks/delete", `{"ids":["web.nope"]}`, 422, `{"message":"Invalid UUID string: nope"}`},
		{"POST", "/v2/tasks/delete", `{"id":[]}`, 422, `{"message":"Invalid JSON","details":[{"path":"","errors":["'ids' is undefined on object: {\"id\":[]}"]}]}`},
		{"POST", "/v2/tasks/delete", `{"ids":[]}`, 200, `{"tasks":[]}`},
		{"DELETE", "/v2/deployments/abc", ``, 404, `{"message":"DeploymentPlan abc does not exist","details":[]}`},
		{"DELETE", "/v2/queue/x/delay", ``, 404, `{"message":"Application /x not found in tasks queue.","details":[]}`},
		{"GET", "/v2/deployments", ``, 200, `[]`},
		{"GET", "/v2/queue", ``, 200, `{"queue":[]}`},
		{"GET", "/v2/leader", ``, 200, `{"leader":"h:8080"}`},
		{"GET", "/v2/plugins", ``, 200, `{"plugins":[]}`},
		{"GET", "/v2/plugins/x/y", ``, 404, `{"message":"No plugin with this pluginId: x","details":[]}`},
		{"POST", "/logging", `{"level":"debug","logger":""}`, 422, `{"message":"Object is not valid","details":[{"path":"/logger","errors":["must not be empty"]}]}`},
		{"GET", "/v2/pods", ``, 404, `{"message":"URI not found: /v2/pods"}`},
		{"PATCH", "/v2/events", ``, 405, "<html>…"},
		{"GET", "/metrics/prometheus", ``, 404, `{"message":"Prometheus reporter is disabled","details":[]}`},
	} {
		a.want(a.do(c.method, c.path, c.body), c.status, c.want)
	}
	a.want(a.do("POST", "/v2/apps", `id=1`, "Content-Type: application/x-www-form-urlencoded"), 415, `{"message":"Unsupported Media Type"}`)
	a.want(a.do("GET", "/v2/apps", "", "Accept: image/png"), 406, `{"message":"Not Acceptable"}`)
	a.want(a.do("DELETE", "/v2/leader", ""), 200, `{"message":"Leadership abdicated","details":[]}`)
	a.want(a.do("GET", "/v2/leader", ""), 404, `{"message":"There is no leader","details":[]}`)
}

func TestPutCreatesAndReplaces(t *testing.T) {
	a := start(t, nil)
	r := a.do("PUT", "/v2/apps/new", `{"cmd":"sleep 5"}`)
	a.want(r, 201, `{"deploymentId":"D1","version":"`+t0Text+`"}`)
	a.header(r, "Location", "http://h:8080/new")
	a.backend.finish()
	// The event of a PUT shows assigned ports.
	if !strings.Contains(a.backend.posted[0], `/v2/apps/new {"id":"/new"`) || !strings.Contains(a.backend.posted[0], `"port":10000`) {
		t.Errorf("event: %s", a.backend.posted[0])
	}
	a.want(a.do("PUT", "/v2/apps/new", `{"env":{"A":"1"}}`), 200, `{"deploymentId":"D2",…`)
	a.backend.finish()
	a.want(a.do("PUT", "/v2/apps/new?partialUpdate=false", `{"cmd":"sleep 6"}`), 200, `{"deploymentId":"D3",…`)
	a.backend.finish()
	now := a.backend.Snapshot().Root.App("/new")
	if now.Cmd != "sleep 6" || len(now.Env) != 0 || now.PortDefinitions[0].Port != 10000 {
		t.Errorf("after the replacement: %+v", now)
	}
	before := now.Version()
	a.want(a.do("PUT", "/v2/apps/new", `{"cmd":"sleep 6"}`), 200, `{"deploymentId":"D4",…`)
	if now := a.backend.Snapshot().Root.App("/new"); now.Version() != before {
		t.Error("a change of nothing made a new version")
	}
	a.want(a.do("PUT", "/v2/apps", `[{"id":"new","instances":2},{"id":"/b/c","cmd":"sleep 7"}]`), 200, `{"deploymentId":"D5",…`)
	if bulk := a.backend.Snapshot().Root.App("/b/c"); bulk == nil || len(bulk.PortDefinitions) != 0 {
		t.Errorf("created in bulk: %+v", bulk)
	}
	a.want(a.do("PUT", "/v2/apps/new", `{"version":"`+t0Text+`","cmd":"x y"}`), 422, `{"message":"Object is not valid","details":[{"path":"/","errors":["The 'version' field may only be combined with the 'id' field."]}]}`)
	a.want(a.do("PUT", "/v2/apps/new", `{"version":"1999-01-01T00:00:00.000Z"}`), 404, `{"message":"App '/new' does not exist in version 1999-01-01T00:00:00.000Z"}`)
}

func TestFilters(t *testing.T) {
	a := start(t, nil)
	a.want(a.do("PUT", "/v2/apps", `[{"id":"/shop/web","cmd":"Sleep 5","labels":{"tier":"front","env":"prod"}},{"id":"/db","args":["x"],"labels":{"tier":"back"}}]`), 200, `{…`)
	for query, want := range map[string]string{
		"": "/db /shop/web", "cmd=sleep": "/shop/web", "id=SHOP/": "/shop/web", "label=tier": "/db /shop/web",
		"label=tier%3D%3Dback": "/db", "label=tier%21%3Dback": "/shop/web", "label=tier+in+(back,front),env": "/shop/web",
		"label=tier+notin+(front)": "/db", "label=env%3D%3Dprod&id=db": "",
	} {
		var got []string
		for _, part := range strings.Split(a.do("GET", "/v2/apps?"+query, "").body, `{"id":"/`)[1:] {
			got = append(got, "/"+part[:strings.IndexByte(part, '"')])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", query, got, want)
		}
	}
}

func TestDeploymentsAndQueue(t *testing.T) {
	a := start(t, nil)
	a.do("POST", "/v2/apps", `{"id":"/web","cmd":"sleep 100"}`)
	shown := `[{"id":"D1","steps":[{"actions":[{"action":"StartApplication","app":"/web"}]},{"actions":[{"action":"ScaleApplication","app":"/web"}]}],"version":"` + t0Text + `","affectedApps":["/web"],"affectedPods":[],"currentActions":[],"currentStep":0,"totalSteps":2}]`
	a.want(a.do("GET", "/v2/deployments", ""), 200, shown)
	a.backend.view.Deployments[0].CurrentStep = 2
	shown = strings.NewReplacer(`"currentActions":[]`, `"currentActions":[{"action":"ScaleApplication","app":"/web","readinessCheckResults":[]}]`, `"currentStep":0`, `"currentStep":2`).Replace(shown)
	a.want(a.do("GET", "/v2/deployments", ""), 200, shown)
	a.backend.waiting = []QueueItem{{App: a.backend.Snapshot().Root.App("/web"), Role: "*", Count: 1, DelayUntil: t0 + 1500, Since: t0, ProcessedOffers: 3, UnusedOffers: 2, RejectsLaunchAttempt: map[RejectReason]int{InsufficientCpus: 2}}}
	queue := a.do("GET", "/v2/queue", "").body
	for _, want := range []string{
		`{"queue":[{"count":1,"role":"*","delay":{"timeLeftSeconds":1,"overdue":false},"since":"` + t0Text + `","processedOffersSummary":{"processedOffersCount":3,"unusedOffersCount":2,"rejectSummaryLastOffers":[{"reason":"UnfulfilledRole","declined":0,"processed":0},`,
		`{"reason":"InsufficientCpus","declined":2,"processed":3},{"reason":"InsufficientMemory","declined":0,"processed":1}`, `]},"app":{"id":"/web",`,
	} {
		if !strings.Contains(queue, want) {
			t.Errorf("lacks %s\n%s", want, queue)
		}
	}
	a.want(a.do("DELETE", "/v2/queue//web/delay", ""), 204, "")
	a.want(a.do("DELETE", "/v2/deployments/D1?force=true", ""), 202, "")
	a.do("POST", "/v2/apps", `{"id":"/two","cmd":"sleep 100"}`)
	a.want(a.do("DELETE", "/v2/deployments/D2", ""), 200, `{"deploymentId":"rollback","version":"`+t0Text+`"}`)
	a.backend.limit = 0
	a.want(a.do("POST", "/v2/apps", `{"id":"/three","cmd":"sleep 100"}`), 403, `{"message":"Max number (0) of running deployments is achieved. Wait for existing deployments to complete or cancel oneusing force=true parameter. You can increase max deployment number by using --max_running_deployments parameter but be advised that this can have negative effects on the performance."}`)
}

func TestPing(t *testing.T) {
	a := start(t, nil)
	for accept, want := range map[string][3]string{
		"": {"200", "text/plain", "pong"}, "*/*": {"200", "text/plain", "pong"}, "text/*": {"200", "text/plain", "pong"},
		"text/html": {"200", "text/html", "pong"}, "application/json": {"200", "application/json", `"pong"`}, "image/png": {"204", "", ""},
	} {
		r := a.do("GET", "/ping", "", "Accept: "+accept)
		if got := [3]string{r.Status[:3], r.Header.Get("Content-Type"), r.body}; got != want {
			t.Errorf("%s: got %q, want %q", accept, got, want)
		}
	}
}

func TestStandingHeaders(t *testing.T) {
	a := start(t, func(o *Options) { o.AllowOrigin = []string{"http://a", "http://b"} })
	r := a.do("OPTIONS", "/v2/apps", "", "Access-Control-Request-Headers: x,y")
	for name, want := range map[string]string{
		"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache", "Expires": "0", "X-Marathon-Leader": "http://h:8080",
		"X-Frame-Options": "DENY", "X-XSS-Protection": "1; mode=block", "Access-Control-Allow-Origin": "http://b",
		"Access-Control-Allow-Headers": "x, y", "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS", "Access-Control-Max-Age": "86400",
		"Allow": "GET,HEAD,OPTIONS,PATCH,POST,PUT",
	} {
		a.header(r, name, want)
	}
	r = a.do("HEAD", "/v2/apps", "")
	a.want(r, 200, "")
	a.header(r, "Content-Length", "11")
	r = a.do("GET", "/", "")
	a.want(r, 302, "")
	a.header(r, "Location", "http://h:8080/ui/")
}

func TestCredentials(t *testing.T) {
	a := start(t, func(o *Options) { o.Credentials = "user:pass:word" })
	r := a.do("GET", "/v2/apps", "")
	a.want(r, 401, "<html>…")
	a.header(r, "WWW-Authenticate", `Basic realm="Mesosphere"`)
	a.want(a.do("GET", "/v2/apps", "", "Authorization: Basic dXNlcjpwYXNzOndvcmQ="), 200, `{"apps":[]}`)
	a.want(a.do("GET", "/v2/apps", "", "Authorization: Basic dXNlcjpwYXNz"), 401, "<html>…")
}

func TestBodiesAreBounded(t *testing.T) {
	a := start(t, func(o *Options) { o.MaxBody = 100 })
	a.want(a.do("POST", "/v2/apps", `{"id":"/web","cmd":"`+strings.Repeat("x", 100)+`"}`), 413, `{"message":"Request Entity Too Large"}`)
}

func TestInfoHasEveryKeyInOrder(t *testing.T) {
	a := start(t, func(o *Options) {
		o.Info = Info{Version: "1.10.26", BuildRef: "unknown", FrameworkName: "marathon", Executor: "//cmd", FailoverTimeout: 604800 * time.Second, Hostname: "h", HTTPPort: 8080, HTTPSPort: 8443, LocalPortMin: 10000, LocalPortMax: 20000}
	})
	body := a.do("GET", "/v2/info", "").body
	for _, want := range []string{
		`{"name":"marathon","version":"1.10.26","buildref":"unknown","elected":true,"leader":"h:8080","frameworkId":null,"marathon_config":{"access_control_allow_origin":null,"checkpoint":false,`,
		`"failover_timeout":604800,"features":[],"framework_name":"marathon",`, `"webui_url":null,"maintenance_mode":false},"zookeeper_config":{"zk":"",`, `"http_config":{"http_port":8080,"https_port":8443}}`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("lacks %s\n%s", want, body)
		}
	}
}
