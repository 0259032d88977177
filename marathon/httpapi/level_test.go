package httpapi

import (
	"strings"
	"testing"

	"stoa/marathon/level"
)

func atLevel(text string) func(*Options) {
	return func(o *Options) {
		release, err := level.Parse(text)
		if err != nil {
			panic(err)
		}
		o.Level = release
	}
}

// TestErrorsOfOldLevels has the table of the facts, section 4.7.
func TestErrorsOfOldLevels(t *testing.T) {
	const broken, wrong, invalid = `{`, `{"id":"/web","cmd":1}`, `{"id":"/web","cmd":"x","acceptedResourceRoles":["other"]}`
	for _, c := range []struct {
		level, body string
		status      int
		want        string
	}{
		{"0.8", broken, 400, `{"message":"Unexpected end-of-input…`},
		{"0.8", wrong, 400, `{"message":"Invalid JSON: …`},
		{"0.13", broken, 400, `{"message":"Invalid JSON","details":"Unexpected…`},
		{"1.4", wrong, 400, `{"message":"Invalid JSON","details":[{"path":"/cmd","errors":[…`},
		{"1.5", wrong, 422, `{"message":"Invalid JSON","details":[{"path":"/cmd","errors":[…`},
		{"0.13", invalid, 422, `{"message":"Bean is not valid","errors":[{"attribute":"acceptedResourceRoles","error":"…`},
		{"0.15", invalid, 422, `{"message":"Bean is not valid","details":[{"attribute":"acceptedResourceRoles","error":"…`},
		{"1.1", invalid, 422, `{"message":"Object is not valid","details":[{"path":"/acceptedResourceRoles","errors":["…`},
	} {
		a := start(t, atLevel(c.level))
		a.want(a.do("POST", "/v2/apps", c.body), c.status, c.want)
	}
}

func TestAppsOfOldLevels(t *testing.T) {
	a := start(t, atLevel("1.4"))
	a.want(a.do("POST", "/v2/apps", `{"id":"/web","cmd":"sleep 100"}`), 201, `{"id":"/web","cmd":"sleep 100","args":null,…`)
	r := a.do("GET", "/v2/apps/web", "")
	a.want(r, 200, `{"app":{"id":"/web","cmd":"sleep 100","args":null,"user":null,"env":{},"instances":1,"cpus":1,"mem":128,"disk":0,"gpus":0,…`)
	if !strings.HasSuffix(r.body, `"tasksStaged":0,"tasksRunning":0,"tasksHealthy":0,"tasksUnhealthy":0,"deployments":[{"id":"D1"}],"tasks":[]}}`) {
		t.Error(r.body)
	}
	a.want(a.do("GET", "/v2/deployments", ""), 200, `[{"id":"D1","version":"`+t0Text+`","affectedApps":["/web"],"affectedPods":[],"steps":[{"actions":[{"action":…`)
	a.want(a.do("GET", "/v2/apps/none", ""), 404, `{"message":"App '/none' does not exist"}`)
	a.backend.finish()
	a.want(a.do("PUT", "/v2/apps/web", `{"instances":3}`), 200, `{"version":"…`)

	a = start(t, atLevel("0.8"))
	a.do("POST", "/v2/apps", `{"id":"/web","cmd":"sleep 100"}`)
	r = a.do("GET", "/v2/apps/web", "")
	if !strings.HasSuffix(r.body, `"tasks":[],"lastTaskFailure":null}}`) {
		t.Error(r.body)
	}
	a.want(a.do("GET", "/v2/deployments", ""), 200, `[{"id":"D1","version":"`+t0Text+`","affectedApps":["/web"],"steps":[[{"action":…`)
	a = start(t, atLevel("1.1"))
	a.do("POST", "/v2/apps", `{"id":"/web","cmd":"sleep 100"}`)
	a.want(a.do("GET", "/v2/deployments", ""), 200, `[{"id":"D1","version":"`+t0Text+`","affectedApps":["/web"],"steps":[{"actions":[{"type":…`)
}
