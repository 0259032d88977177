package httpapi

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"stoa/internal/httpd"
	"stoa/marathon/app"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// groupEmbeds chooses what is shown of a group.
type groupEmbeds struct {
	groups, apps bool
	app          embed
}

func readGroupEmbeds(c *gin.Context) groupEmbeds {
	values := c.QueryArray("embed")
	if len(values) == 0 {
		return groupEmbeds{groups: true, apps: true}
	}
	var e groupEmbeds
	for _, value := range values {
		switch {
		case strings.HasPrefix(value, "group.apps."):
			e.app |= appEmbeds([]string{value})
		case value == "group.groups":
			e.groups = true
		case value == "group.apps":
			e.apps = true
		}
	}
	return e
}

// readGroup is GET /v2/groups and everything below it; the end of the path decides.
func (s *server) readGroup(c *gin.Context, raw string) error {
	elements := strings.FieldsFunc(raw, func(r rune) bool { return r == '/' })
	last := len(elements) - 1
	switch {
	case last >= 0 && elements[last] == "apps":
		return s.groupApps(c, resolve(strings.Join(elements[:last], "/")))
	case last >= 0 && elements[last] == "versions":
		return s.groupVersions(c, resolve(strings.Join(elements[:last], "/")))
	case last >= 1 && elements[last-1] == "versions":
		return s.groupVersion(c, resolve(strings.Join(elements[:last-1], "/")), elements[last])
	}
	groupID := resolve(raw)
	embeds := readGroupEmbeds(c)
	info := s.newAppInfo(embeds.app)
	found := info.view.Root.Find(groupID)
	if found == nil {
		return s.messageAndNothing(c, http.StatusNotFound, noGroup(groupID).Error())
	}
	w := s.newDocument()
	writeGroup(w, found, embeds, info)
	return answer(c, w)
}

func writeGroup(w *playjson.Writer, g *group.Group, embeds groupEmbeds, info *appInfo) {
	w.BeginObject()
	w.StringField("id", g.ID.String())
	w.Key("apps")
	w.BeginArray()
	if embeds.apps {
		for _, a := range g.Apps {
			info.write(w, a)
		}
	}
	w.EndArray()
	w.Key("pods")
	w.BeginArray()
	w.EndArray()
	w.Key("groups")
	w.BeginArray()
	if embeds.groups {
		for _, sub := range g.Groups {
			writeGroup(w, sub, embeds, info)
		}
	}
	w.EndArray()
	w.Key("dependencies")
	w.BeginArray()
	for _, dependency := range g.Dependencies {
		w.String(dependency.String())
	}
	w.EndArray()
	w.TimeField("version", g.Version)
	if g.ID.IsTopLevel() {
		w.BoolField("enforceRole", g.EnforceRole)
	}
	w.EndObject()
}

// groupApps is GET /v2/groups/{id}/apps; an unknown group has none.
func (s *server) groupApps(c *gin.Context, groupID id.Path) error {
	info := s.newAppInfo(readGroupEmbeds(c).app)
	w := s.newDocument()
	w.BeginArray()
	if found := info.view.Root.Find(groupID); found != nil {
		for _, a := range found.SortedApps() {
			info.write(w, a)
		}
	}
	w.EndArray()
	return answer(c, w)
}

// groupVersions is GET /v2/groups/{id}/versions: the versions of the tree in which the
// group is there, newest first.
func (s *server) groupVersions(c *gin.Context, groupID id.Path) error {
	if s.Backend.Snapshot().Root.Find(groupID) == nil {
		return s.messageAndNothing(c, http.StatusNotFound, noGroup(groupID).Error())
	}
	versions, err := s.Backend.RootVersions(c.Request.Context())
	if err != nil {
		return err
	}
	var present []timestamp.Timestamp
	for _, version := range versions {
		found, err := s.storedGroup(c, groupID, version)
		if err != nil {
			return err
		}
		if found != nil {
			present = append(present, version)
		}
	}
	w := s.newDocument()
	writeTimes(w, present)
	return answer(c, w)
}

// groupVersion is GET /v2/groups/{id}/versions/{version}.
func (s *server) groupVersion(c *gin.Context, groupID id.Path, rawVersion string) error {
	version, err := parseVersion(rawVersion)
	if err != nil {
		return err
	}
	found, err := s.storedGroup(c, groupID, version)
	if err != nil {
		return err
	}
	if found == nil {
		return s.messageAndNothing(c, http.StatusNotFound, noGroup(groupID).Error())
	}
	embeds := readGroupEmbeds(c)
	w := s.newDocument()
	writeGroup(w, found, embeds, &appInfo{view: &View{}, now: s.Now()})
	return answer(c, w)
}

// storedGroup looks up a group in a stored version of the tree; nil when there is none.
func (s *server) storedGroup(c *gin.Context, groupID id.Path, version timestamp.Timestamp) (*group.Group, error) {
	if present := s.Backend.Snapshot().Root; present.Version == version {
		return present.Find(groupID), nil
	}
	root, err := s.Backend.RootVersion(c.Request.Context(), version)
	if err != nil || root == nil {
		return nil, err
	}
	return root.Find(groupID), nil
}

// groupChange is a normalised and judged change of a group.
type groupChange struct {
	definition *group.Definition
	at         id.Path
	// rollback is the group as it was in the version that the change names.
	rollback *group.Group
}

func (s *server) readGroupChange(c *gin.Context, raw string) (*groupChange, error) {
	document, err := s.document(c)
	if err != nil {
		return nil, err
	}
	base := resolve(raw)
	var rules app.Rules
	rules.PathID(base.String(), "/")
	if err := rules.Err(); err != nil {
		return nil, err
	}
	definition, err := group.ReadDefinition(document)
	if err != nil {
		return nil, err
	}
	root := s.Backend.Snapshot().Root
	change := &groupChange{at: definition.Path(base)}
	if change.definition, err = definition.Normalise(root, change.at, s.flags()); err != nil {
		return nil, err
	}
	if err := change.definition.Validate(base, root, definition.ModifiesServices()); err != nil {
		return nil, err
	}
	if version := definition.Version; version != nil {
		if change.rollback, err = s.storedGroup(c, change.at, *version); err != nil {
			return nil, err
		}
		if change.rollback == nil {
			return nil, illegalArgument("Group " + change.at.String() + " not available in version " + version.String())
		}
	}
	return change, nil
}

func (g *groupChange) apply(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
	if g.rollback != nil {
		return root.WithGroup(g.rollback, version), nil
	}
	return g.definition.Apply(root, g.at, version)
}

// createGroup is POST /v2/groups and POST /v2/groups/{id}.
func (s *server) createGroup(c *gin.Context, raw string) error {
	change, err := s.readGroupChange(c, raw)
	if err != nil {
		return err
	}
	guarded := func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		if root.Find(change.at) != nil {
			return nil, conflict("Group " + change.at.String() + " is already created. Use PUT to change this group.")
		}
		if root.App(change.at) != nil {
			return nil, conflict("An app with the path " + change.at.String() + " already exists.")
		}
		return change.apply(root, version)
	}
	result, err := s.Backend.UpdateRoot(c.Request.Context(), guarded, s.groupOptions(c, raw))
	if err != nil {
		return err
	}
	setLocation(c, change.at.String())
	return s.deployed(c, http.StatusCreated, result)
}

func (s *server) groupOptions(c *gin.Context, raw string) UpdateOptions {
	return UpdateOptions{GroupID: resolve(raw).Parent(), Force: flag(c, "force", false)}
}

// putGroup is PUT /v2/groups and PUT /v2/groups/{id}.
func (s *server) putGroup(c *gin.Context, raw string) error {
	change, err := s.readGroupChange(c, raw)
	if err != nil {
		return err
	}
	if flag(c, "dryRun", false) {
		steps, err := s.Backend.Plan(c.Request.Context(), change.apply)
		if err != nil {
			return err
		}
		w := s.newDocument()
		w.BeginObject()
		w.Key("steps")
		writeSteps(w, steps)
		w.EndObject()
		return answer(c, w)
	}
	result, err := s.Backend.UpdateRoot(c.Request.Context(), change.apply, s.groupOptions(c, raw))
	if err != nil {
		return err
	}
	return s.deployed(c, http.StatusOK, result)
}

// patchGroup is PATCH /v2/groups/{id}: only enforceRole, without a deployment.
func (s *server) patchGroup(c *gin.Context, raw string) error {
	document, err := s.document(c)
	if err != nil {
		return err
	}
	r := app.NewReader(document)
	enforce := s.Backend.Snapshot().Root.NewGroupEnforceRole
	if member, ok := r.Optional("enforceRole"); ok {
		enforce = member.Bool()
	}
	if err := r.Err(); err != nil {
		return err
	}
	groupID := resolve(raw)
	if !groupID.IsTopLevel() {
		return &app.ValidationError{Violations: []app.Violation{{Path: "/", Message: "Path needs to be top-level"}}}
	}
	found, err := s.Backend.SetEnforceRole(c.Request.Context(), groupID, enforce)
	if err != nil {
		return err
	}
	if !found {
		return s.messageAndNothing(c, http.StatusNotFound, noGroup(groupID).Error())
	}
	httpd.Empty(c, http.StatusOK)
	return nil
}

// deleteGroup is DELETE /v2/groups, which empties the root, and DELETE /v2/groups/{id}.
func (s *server) deleteGroup(c *gin.Context, raw string) error {
	groupID := resolve(raw)
	change := func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		if root.Find(groupID) == nil {
			return nil, noGroup(groupID)
		}
		return root.WithoutGroup(groupID, version), nil
	}
	result, err := s.Backend.UpdateRoot(c.Request.Context(), change, s.groupOptions(c, raw))
	if err != nil {
		return err
	}
	return s.deployed(c, http.StatusOK, result)
}

// affected are the apps that a deployment touches, in the order of its steps.
func (d *Deployment) affected() []id.Path {
	var all []id.Path
	seen := map[id.Path]bool{}
	for _, step := range d.Steps {
		for _, action := range step.Actions {
			if !seen[action.AppID] {
				seen[action.AppID] = true
				all = append(all, action.AppID)
			}
		}
	}
	return all
}
