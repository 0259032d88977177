package group

import (
	"slices"

	"stoa/marathon/app"
	"stoa/marathon/id"
)

// RolesFor says which roles an app may have at its place (util/RoleSettings.scala):
// directly below the root only mesosRole; in a top-level group that enforces its role, the
// group's name; else both. The role it has may always stay. force lets a resident app change.
func (r *Root) RolesFor(appID id.Path, mesosRole string, force bool) app.Roles {
	if mesosRole == "" {
		mesosRole = "*"
	}
	if appID.Parent().IsRoot() {
		return app.Roles{Default: mesosRole, Valid: []string{mesosRole}}
	}
	name := appID.First()
	enforce := r.NewGroupEnforceRole
	if top := r.Find(id.Of(name)); top != nil {
		enforce = top.EnforceRole
	}
	roles := app.Roles{Default: name, Valid: []string{name}, Force: force}
	if !enforce {
		roles.Default = mesosRole
		roles.Valid = []string{mesosRole}
		if name != mesosRole {
			roles.Valid = append(roles.Valid, name)
		}
	}
	if old := r.App(appID); old != nil {
		roles.Previous = old.Role
		if !slices.Contains(roles.Valid, old.Role) {
			roles.Valid = append(roles.Valid, old.Role)
		}
	}
	return roles
}
