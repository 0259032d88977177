package httpapi

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"stoa/marathon/app"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// listApps is GET /v2/apps.
func (s *server) listApps(c *gin.Context) error {
	matches, err := filters(c)
	if err != nil {
		return err
	}
	embeds := appEmbeds(c.QueryArray("embed")) | embedCounts | embedDeployments
	info := s.newAppInfo(embeds)
	w := s.newDocument()
	w.BeginObject()
	w.Key("apps")
	w.BeginArray()
	for _, a := range info.view.Root.SortedApps() {
		if matches(a) {
			info.write(w, a)
		}
	}
	w.EndArray()
	w.EndObject()
	return answer(c, w)
}

// filters reads the parameters cmd, id and label, all of which an app must match.
func filters(c *gin.Context) (func(*app.App) bool, error) {
	var conditions []func(*app.App) bool
	contains := func(text, part string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(part)) }
	if cmd, ok := c.GetQuery("cmd"); ok {
		conditions = append(conditions, func(a *app.App) bool { return a.Cmd != "" && contains(a.Cmd, cmd) })
	}
	if part, ok := c.GetQuery("id"); ok {
		conditions = append(conditions, func(a *app.App) bool { return contains(a.ID.String(), part) })
	}
	if label, ok := c.GetQuery("label"); ok {
		selectors, err := parseSelectors(label)
		if err != nil {
			return nil, err
		}
		for _, selector := range selectors {
			conditions = append(conditions, selector.matches)
		}
	}
	return func(a *app.App) bool {
		for _, matches := range conditions {
			if !matches(a) {
				return false
			}
		}
		return true
	}, nil
}

// showApp is GET /v2/apps/{id} and, with a wildcard, the apps of a group.
func (s *server) showApp(c *gin.Context, raw string) error {
	embeds := appEmbeds(c.QueryArray("embed")) | embedCounts | embedTasks | embedFailure | embedDeployments
	info := s.newAppInfo(embeds)
	w := s.newDocument()
	w.BeginObject()
	if groupID, ok := wildcard(raw); ok {
		found := info.view.Root.Find(groupID)
		if found == nil {
			return s.messageAndNothing(c, http.StatusNotFound, noGroup(groupID).Error())
		}
		w.AnyKey("*")
		w.BeginArray()
		for _, a := range found.SortedApps() {
			info.write(w, a)
		}
		w.EndArray()
	} else {
		appID := resolve(raw)
		a := info.view.Root.App(appID)
		if a == nil {
			return s.messageAndNothing(c, http.StatusNotFound, noApp(appID).Error())
		}
		w.Key("app")
		info.write(w, a)
	}
	w.EndObject()
	return answer(c, w)
}

// createApp is POST /v2/apps.
func (s *server) createApp(c *gin.Context) error {
	document, err := s.document(c)
	if err != nil {
		return err
	}
	definition, err := app.ReadDefinition(document)
	if err != nil {
		return err
	}
	appID := resolve(*definition.ID)
	roles := s.Backend.Snapshot().Root.RolesFor(appID, s.MesosRole, false)
	fresh, err := definition.Create(id.Root, s.settings(roles), 0)
	if err != nil {
		return err
	}
	change := func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		if root.App(fresh.ID) != nil {
			return nil, conflict("An app with id [" + fresh.ID.String() + "] already exists.")
		}
		return root.WithApp(fresh.WithVersionInfo(app.OnlyVersion(version)), version), nil
	}
	result, err := s.Backend.UpdateRoot(c.Request.Context(), change, UpdateOptions{GroupID: fresh.ID.Parent(), Force: flag(c, "force", false)})
	if err != nil {
		return err
	}
	// The answer shows the app as it was sent: service ports are assigned later on.
	fresh = fresh.WithVersionInfo(app.OnlyVersion(result.Version))
	w := s.newDocument()
	w.BeginObject()
	fresh.WriteFields(w)
	taskCounts{}.write(w)
	w.Key("deployments")
	writeIDs(w, []string{result.DeploymentID})
	w.EndObject()
	s.Backend.PublishAPIPost(remote(c), c.Request.URL.EscapedPath(), fresh)
	setLocation(c, fresh.ID.String())
	setDeployment(c, result)
	return answerWith(c, http.StatusCreated, w)
}

// deleteApp is DELETE /v2/apps/{id}; it forces by default.
func (s *server) deleteApp(c *gin.Context, raw string) error {
	appID := resolve(raw)
	change := func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		if root.App(appID) == nil {
			return nil, noApp(appID)
		}
		return root.WithoutApp(appID, version), nil
	}
	result, err := s.Backend.UpdateRoot(c.Request.Context(), change, UpdateOptions{GroupID: appID.Parent(), Force: flag(c, "force", true)})
	if err != nil {
		return err
	}
	return s.deployed(c, http.StatusOK, result)
}

// restartApp is POST /v2/apps/{id}/restart.
func (s *server) restartApp(c *gin.Context, raw string) error {
	appID := resolve(raw)
	change := func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		current := root.App(appID)
		if current == nil {
			return nil, noApp(appID)
		}
		return root.WithApp(current.MarkedForRestart(), version), nil
	}
	result, err := s.Backend.UpdateRoot(c.Request.Context(), change, UpdateOptions{GroupID: appID.Parent(), Force: flag(c, "force", false)})
	if err != nil {
		return err
	}
	return s.deployed(c, http.StatusOK, result)
}

// appVersions is GET /v2/apps/{id}/versions.
func (s *server) appVersions(c *gin.Context, raw string) error {
	appID := resolve(raw)
	if s.Backend.Snapshot().Root.App(appID) == nil {
		return s.messageAndNothing(c, http.StatusNotFound, noApp(appID).Error())
	}
	versions, err := s.Backend.AppVersions(c.Request.Context(), appID)
	if err != nil {
		return err
	}
	w := s.newDocument()
	w.BeginObject()
	w.Key("versions")
	writeTimes(w, versions)
	w.EndObject()
	return answer(c, w)
}

// appVersion is GET /v2/apps/{id}/versions/{version}.
func (s *server) appVersion(c *gin.Context, raw, rawVersion string) error {
	version, err := parseVersion(rawVersion)
	if err != nil {
		return err
	}
	appID := resolve(raw)
	found, err := s.Backend.AppVersion(c.Request.Context(), appID, version)
	if err != nil {
		return err
	}
	if found == nil {
		return s.messageAndNothing(c, http.StatusNotFound, noApp(appID).Error()+" in version "+version.String())
	}
	return answer(c, &playjson.Writer{Buf: found.AppendAt(nil, playjson.StyleAt(s.Level, playjson.Jackson), s.Level)})
}

func writeTimes(w *playjson.Writer, times []timestamp.Timestamp) {
	w.BeginArray()
	for _, at := range times {
		w.Time(at)
	}
	w.EndArray()
}
