package httpapi

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/resources"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
)

// roleView is what is known of a role, including the roles below it.
type roleView struct {
	name       string
	weight     float64
	allocated  resources.Quantities
	offered    resources.Quantities
	reserved   resources.Quantities
	consumed   resources.Quantities
	quota      core.Quota
	frameworks []string
}

// rolesOf gathers the roles that frameworks subscribe to or hold resources of, that
// something is reserved to, or that have a weight or quota, with their ancestors; or those of the
// whitelist (master.cpp, knownRoles and RoleResourceBreakdown).
func rolesOf(s *core.Snapshot) []roleView {
	views := make(map[string]*roleView)
	add := func(role string) {
		for role != "" && views[role] == nil {
			weight := 1.0
			if w, ok := s.Weights[role]; ok {
				weight = w
			}
			views[role] = &roleView{name: role, weight: weight, quota: s.Quotas[role]}
			role = parent(role)
		}
	}
	uses := make([]use, len(s.Frameworks))
	held := make([]map[string]struct{}, len(s.Frameworks))
	for i, f := range s.Frameworks {
		uses[i] = useOf(f)
		held[i] = make(map[string]struct{})
		for _, role := range f.Roles {
			held[i][role] = struct{}{}
		}
		for _, rs := range []resources.Resources{uses[i].used, uses[i].offered} {
			for r := range rs.All() {
				if role := r.AllocationRole(); role != "" {
					held[i][role] = struct{}{}
				}
			}
		}
	}
	if s.Whitelist != nil {
		add("*")
		for _, role := range s.Whitelist {
			add(role)
		}
	} else {
		for _, roles := range held {
			for role := range roles {
				add(role)
			}
		}
		for _, a := range s.Agents {
			byRole(a.Total, func(role string, _ resources.Resources) { add(role) })
		}
		for role := range s.Weights {
			add(role)
		}
		for role := range s.Quotas {
			add(role)
		}
	}
	// up visits the known role and its known ancestors.
	up := func(role string, visit func(*roleView)) {
		for ; role != ""; role = parent(role) {
			if v := views[role]; v != nil {
				visit(v)
			}
		}
	}
	for i, f := range s.Frameworks {
		for role, rs := range allocations(uses[i].used) {
			q := rs.Quantities()
			up(role, func(v *roleView) { v.allocated = v.allocated.Add(q) })
		}
		for role, rs := range allocations(uses[i].offered) {
			q := rs.Quantities()
			up(role, func(v *roleView) { v.offered = v.offered.Add(q) })
		}
		for role := range held[i] {
			if v := views[role]; v != nil {
				v.frameworks = append(v.frameworks, f.ID)
			}
		}
	}
	for _, v := range views {
		v.consumed = v.allocated
	}
	for _, a := range s.Agents {
		byRole(a.Total, func(role string, rs resources.Resources) {
			total := rs.Quantities()
			unused := total.Subtract(a.Used.ReservedTo(role).Quantities())
			up(role, func(v *roleView) {
				v.reserved = v.reserved.Add(total)
				v.consumed = v.consumed.Add(unused)
			})
		})
	}
	list := make([]roleView, 0, len(views))
	for _, name := range slices.Sorted(maps.Keys(views)) {
		list = append(list, *views[name])
	}
	return list
}

// parent is the role above, empty for one at the top.
func parent(role string) string {
	i := strings.LastIndexByte(role, '/')
	return role[:max(i, 0)]
}

// allocations splits resources by their role of allocation; none counts as "*".
func allocations(rs resources.Resources) map[string]resources.Resources {
	split := make(map[string]resources.Resources)
	for r := range rs.All() {
		role := r.AllocationRole()
		if role == "" {
			role = "*"
		}
		split[role] = split[role].Add(resources.Of(r))
	}
	return split
}

// roles serves /roles.
func (s *server) roles(c *gin.Context) {
	w := s.view(c)
	s.shared(c, func(dst *[]byte, snapshot *core.Snapshot) {
		o := mesosjson.BeginObject(dst)
		roles := o.Array("roles")
		for _, r := range rolesOf(snapshot) {
			if !w.Role(r.name) {
				continue
			}
			one := roles.Object()
			one.String("name", r.name)
			one.Double("weight", r.weight)
			quota := one.Object("quota")
			quota.String("role", r.name)
			quantitiesField(quota, "guarantee", r.quota.Guarantees.All())
			quantitiesField(quota, "limit", r.quota.Limits.All())
			quantitiesField(quota, "consumed", r.consumed.All())
			quota.End()
			quantitiesField(one, "resources", r.allocated.Add(r.offered).All())
			quantitiesField(one, "allocated", r.allocated.All())
			quantitiesField(one, "offered", r.offered.All())
			quantitiesField(one, "reserved", r.reserved.All())
			one.Strings("frameworks", r.frameworks)
			one.End()
		}
		roles.End()
		o.End()
	})
}

func quantitiesField(o mesosjson.Object, key string, amounts iter.Seq2[string, resources.Scalar]) {
	object := o.Object(key)
	for name, amount := range amounts {
		object.Double(name, amount.Float())
	}
	object.End()
}
