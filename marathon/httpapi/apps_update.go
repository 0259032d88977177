package httpapi

import (
	"maps"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"stoa/marathon/app"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// update is a change of one app as a request tells it, normalised.
type update struct {
	id         id.Path
	definition *app.Definition
	// complete definitions replace the app, others are laid over it.
	complete bool
	// create allows the app to be missing.
	create bool
	// force lets a resident app change its role.
	force bool
	// rollback is the stored app of the version that the update names.
	rollback *app.App
}

// apply makes the app that the update turns current into; current is nil when there is none.
func (u *update) apply(s *server, root *group.Root, current *app.App, version timestamp.Timestamp) (*app.App, error) {
	settings := s.settings(root.RolesFor(u.id, s.MesosRole, u.force))
	switch {
	case current == nil && !u.create:
		return nil, noApp(u.id)
	case current == nil && u.complete:
		return u.definition.Create(id.Root, settings, version)
	case current == nil:
		return u.definition.CreateFromUpdate(u.id, settings, version)
	case u.rollback != nil:
		return u.rollback, nil
	case u.complete:
		return u.definition.Replace(current, id.Root, settings)
	default:
		return u.definition.Update(current, settings)
	}
}

// putApp is PUT /v2/apps/{id}.
func (s *server) putApp(c *gin.Context, raw string) error {
	return s.changeApp(c, raw, flag(c, "partialUpdate", true), true)
}

// patchApp is PATCH /v2/apps/{id}.
func (s *server) patchApp(c *gin.Context, raw string) error { return s.changeApp(c, raw, true, false) }

func (s *server) changeApp(c *gin.Context, raw string, partial, create bool) error {
	document, err := s.document(c)
	if err != nil {
		return err
	}
	root := s.Backend.Snapshot().Root
	u := &update{id: resolve(raw), create: create, force: flag(c, "force", false)}
	current := root.App(u.id)
	u.complete = current == nil || !partial
	settings := s.settings(root.RolesFor(u.id, s.MesosRole, u.force))
	if err := u.read(document, settings); err != nil {
		return err
	}
	if err := s.findRollback(c, u); err != nil {
		return err
	}
	if u.rollback == nil && (current != nil || u.create) {
		// What is wrong with the app shows before the change takes its turn.
		if _, err := u.apply(s, root, current, 0); err != nil {
			return err
		}
	}
	existed := false
	change := func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		current := root.App(u.id)
		existed = current != nil
		fresh, err := u.apply(s, root, current, version)
		if err != nil {
			return nil, err
		}
		return root.WithApp(fresh, version), nil
	}
	result, err := s.Backend.UpdateRoot(c.Request.Context(), change, UpdateOptions{GroupID: u.id.Parent(), Force: u.force})
	if err != nil {
		return err
	}
	if target := s.Backend.Snapshot().Root.App(u.id); target != nil {
		s.Backend.PublishAPIPost(remote(c), c.Request.URL.EscapedPath(), target)
	}
	if existed {
		return s.deployed(c, http.StatusOK, result)
	}
	setLocation(c, u.id.String())
	return s.deployed(c, http.StatusCreated, result)
}

// read takes the definition of one app, whose id is that of the URL.
func (u *update) read(document *playjson.Value, settings *app.Settings) error {
	if !u.complete {
		definition, err := app.ReadUpdate(document)
		if err != nil {
			return err
		}
		u.definition, err = definition.NormaliseUpdate(id.Root, settings)
		return err
	}
	if document.Kind != playjson.Object {
		return &app.ReadError{Violations: []app.Violation{{Message: "error.expected.jsobject"}}}
	}
	named := document.With("id", playjson.Value{Kind: playjson.String, Text: u.id.String()})
	definition, err := app.ReadDefinition(&named)
	if err != nil {
		return err
	}
	u.definition, err = definition.Normalise(id.Root, settings)
	return err
}

// findRollback looks up the version that a partial update names.
func (s *server) findRollback(c *gin.Context, u *update) error {
	if u.complete || u.definition.Version == nil {
		return nil
	}
	stored, err := s.Backend.AppVersion(c.Request.Context(), u.id, *u.definition.Version)
	if err != nil {
		return err
	}
	if stored == nil {
		return unknown(noApp(u.id).Error() + " in version " + u.definition.Version.String())
	}
	u.rollback = stored
	return nil
}

// putApps is PUT /v2/apps.
func (s *server) putApps(c *gin.Context) error {
	return s.changeApps(c, flag(c, "partialUpdate", true), true)
}

// patchApps is PATCH /v2/apps.
func (s *server) patchApps(c *gin.Context) error { return s.changeApps(c, true, false) }

func (s *server) changeApps(c *gin.Context, partial, create bool) error {
	document, err := s.document(c)
	if err != nil {
		return err
	}
	force := flag(c, "force", false)
	updates, err := s.readUpdates(document, partial, create, force)
	if err != nil {
		return err
	}
	for _, u := range updates {
		if err := s.findRollback(c, u); err != nil {
			return err
		}
	}
	change := func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		changed := make(map[id.Path]*app.App, len(updates))
		for _, u := range updates {
			current := changed[u.id]
			if current == nil {
				current = root.App(u.id)
			}
			fresh, err := u.apply(s, root, current, version)
			if err != nil {
				return nil, err
			}
			changed[u.id] = fresh
		}
		return root.WithApps(slices.Collect(maps.Values(changed)), version), nil
	}
	result, err := s.Backend.UpdateRoot(c.Request.Context(), change, UpdateOptions{GroupID: id.Root, Force: force})
	if err != nil {
		return err
	}
	return s.deployed(c, http.StatusOK, result)
}

func (s *server) readUpdates(document *playjson.Value, partial, create, force bool) ([]*update, error) {
	r := app.NewReader(document)
	var definitions []*app.Definition
	for _, element := range r.Elements() {
		if partial {
			definitions = append(definitions, element.Update())
		} else {
			definitions = append(definitions, element.Definition())
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	root := s.Backend.Snapshot().Root
	updates := make([]*update, len(definitions))
	for i, definition := range definitions {
		if definition.ID == nil {
			return nil, illegalArgument("requirement failed: App Update must have app id set")
		}
		u := &update{id: resolve(*definition.ID), complete: !partial, create: create, force: force}
		settings := s.settings(root.RolesFor(u.id, s.MesosRole, force))
		normalise := definition.NormaliseUpdate
		if u.complete {
			normalise = definition.Normalise
		}
		normal, err := normalise(id.Root, settings)
		if err != nil {
			return nil, err
		}
		u.definition = normal
		updates[i] = u
	}
	return updates, nil
}
