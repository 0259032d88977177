package httpapi

import (
	"strings"
	"testing"
)

// A tree so deep that every change takes seconds would stop everybody's changes.
func TestIDsHaveAnEnd(t *testing.T) {
	a := start(t, nil)
	deep := strings.Repeat("/a", 257)
	for _, request := range [][3]string{
		{"PUT", "/v2/groups" + deep, `{}`},
		{"POST", "/v2/groups" + deep, `{}`},
		{"POST", "/v2/groups", `{"id":"` + deep + `"}`},
		{"PUT", "/v2/groups/g", `{"groups":[{"id":"` + deep[1:] + `"}]}`},
		{"PUT", "/v2/groups" + deep[:512], `{"apps":[{"id":"b","cmd":"sleep 1"}]}`},
		{"PUT", "/v2/apps" + deep, `{"cmd":"sleep 1"}`},
		{"POST", "/v2/apps", `{"id":"` + deep + `","cmd":"sleep 1"}`},
	} {
		r := a.do(request[0], request[1], request[2])
		if body := r.body; r.StatusCode != 422 || !strings.Contains(body, "must not have more than 256 path elements") {
			t.Errorf("%s %.20s %.30s: status %d, %.300s", request[0], request[1], request[2], r.StatusCode, body)
		}
	}
}

func TestGroups(t *testing.T) {
	a := start(t, nil)
	r := a.do("POST", "/v2/groups", `{"id":"/g"}`)
	a.want(r, 201, `{"deploymentId":"D1","version":"`+t0Text+`"}`)
	a.header(r, "Location", "http://h:8080/g")
	a.want(a.do("POST", "/v2/groups", `{"id":"/g"}`), 409, `{"message":"Group /g is already created. Use PUT to change this group."}`)
	a.want(a.do("POST", "/v2/groups", `{}`), 409, `{"message":"Group / is already created. Use PUT to change this group."}`)
	a.want(a.do("GET", "/v2/groups/g", ""), 200, `{"id":"/g","apps":[],"pods":[],"groups":[],"dependencies":[],"version":"`+t0Text+`","enforceRole":false}`)
	a.want(a.do("GET", "/v2/apps/g/*", ""), 200, `{"*":[]}`)
	plan := `{"steps":[{"actions":[{"action":"StartApplication","app":"/g/a"}]},{"actions":[{"action":"ScaleApplication","app":"/g/a"}]}]}`
	a.want(a.do("PUT", "/v2/groups/g?dryRun=true", `{"apps":[{"id":"a","cmd":"sleep 1"}]}`), 200, plan)
	a.want(a.do("PUT", "/v2/groups/g", `{"apps":[{"id":"a","cmd":"sleep 1"}],"groups":[{"id":"sub","apps":[{"id":"b","cmd":"sleep 1","dependencies":["../a"]}]}]}`), 200, `{"deploymentId":"D2",…`)
	a.backend.finish()
	b := a.backend.Snapshot().Root.App("/g/sub/b")
	if b == nil || b.Dependencies[0] != "/g/a" {
		t.Fatalf("nested app: %+v", b)
	}
	a.want(a.do("PUT", "/v2/groups/g", `{"scaleBy":2.5}`), 200, `{"deploymentId":"D3",…`)
	if now := a.backend.Snapshot().Root.App("/g/sub/b"); now.Instances != 3 {
		t.Errorf("%d instances", now.Instances)
	}
	a.backend.finish()
	a.want(a.do("GET", "/v2/groups/g/versions", ""), 200, `["2021-02-03T04:05:06.009Z","2021-02-03T04:05:06.008Z","`+t0Text+`"]`)
	a.want(a.do("GET", "/v2/groups/g/sub/versions", ""), 200, `["2021-02-03T04:05:06.009Z","2021-02-03T04:05:06.008Z"]`)
	a.want(a.do("GET", "/v2/groups/versions/"+t0Text, ""), 200, `{"id":"/","apps":[],"pods":[],"groups":[{"id":"/g","apps":[],"pods":[],"groups":[],"dependencies":[],"version":"`+t0Text+`","enforceRole":false}],"dependencies":[],"version":"`+t0Text+`"}`)
	a.want(a.do("PUT", "/v2/groups/g", `{"version":"2021-02-03T04:05:06.008Z"}`), 200, `{"deploymentId":"D4",…`)
	if now := a.backend.Snapshot().Root.App("/g/sub/b"); now.Instances != 1 {
		t.Errorf("%d instances after the rollback", now.Instances)
	}
	a.backend.finish()
	a.want(a.do("PUT", "/v2/groups/g", `{"version":"1999-01-01T00:00:00.000Z"}`), 422, `{"message":"Group /g not available in version 1999-01-01T00:00:00.000Z"}`)
	a.want(a.do("PUT", "/v2/groups/g", `{"scaleBy":2,"apps":[]}`), 422, `{"message":"Object is not valid","details":[{"path":"/scaleBy","errors":["not allowed in conjunction with other properties."]}]}`)
	a.want(a.do("PUT", "/v2/groups/c", `{"apps":[{"id":"a","cmd":"sleep 1","dependencies":["/c/b"]},{"id":"b","cmd":"sleep 1","dependencies":["/c/a"]}]}`), 422, `{"message":"Object is not valid","details":[{"path":"/","errors":["Dependency graph has cyclic dependencies."]}]}`)
	a.want(a.do("PUT", "/v2/groups/g", `{"apps":[{"id":"/x/a","cmd":"sleep 1"}]}`), 422, `{"message":"Object is not valid","details":[{"path":"/apps(0)/id","errors":["Identifier is not child of '/g'"]}]}`)
	a.want(a.do("POST", "/v2/apps", `{"id":"/g/sub","cmd":"sleep 1"}`), 422, `{"message":"Object is not valid","details":[{"path":"/groups(0)","errors":["Groups and Applications may not have the same identifier."]}]}`)
	a.want(a.do("GET", "/v2/groups/g/apps", ""), 200, `[{"id":"/g/a",…`)
	a.want(a.do("GET", "/v2/groups/none/apps", ""), 200, `[]`)
	a.want(a.do("GET", "/v2/groups?embed=group.apps", ""), 200, `{"id":"/","apps":[],"pods":[],"groups":[],…`)
	a.want(a.do("PATCH", "/v2/groups/g", `{"enforceRole":true}`), 200, ``)
	a.want(a.do("PATCH", "/v2/groups/g/h", `{"enforceRole":true}`), 422, `{"message":"Object is not valid","details":[{"path":"/","errors":["Path needs to be top-level"]}]}`)
	a.want(a.do("POST", "/v2/apps", `{"id":"/g/roled","cmd":"sleep 1"}`), 201, `{…`)
	if now := a.backend.Snapshot().Root.App("/g/roled"); now.Role != "g" {
		t.Errorf("role %s", now.Role)
	}
	a.want(a.do("GET", "/v2/groups/none", ""), 404, `{"message":"Group '/none' does not exist","details":[]}`)
	a.want(a.do("DELETE", "/v2/groups/none", ""), 404, `{"message":"Group '/none' does not exist"}`)
	a.want(a.do("DELETE", "/v2/groups/g", ""), 409, `{…`)
	a.want(a.do("DELETE", "/v2/groups/g?force=true", ""), 200, `{…`)
	a.want(a.do("GET", "/v2/apps", ""), 200, `{"apps":[]}`)
}
