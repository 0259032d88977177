package validation

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/roles"
)

// FrameworkInfo checks a framework's description by itself.
func FrameworkInfo(info *mesospb.FrameworkInfo) error {
	if err := frameworkRoles(info); err != nil {
		return err
	}
	if id := info.GetId().GetValue(); id != "" {
		if err := ids.Validate(id); err != nil {
			return err
		}
	}
	for _, role := range sortedKeys(info.GetOfferFilters()) {
		if err := offerFilters(info.GetOfferFilters()[role]); err != nil {
			return err
		}
	}
	// The original's Duration holds nanoseconds in 64 bits.
	if t := info.GetFailoverTimeout(); math.IsNaN(t) || t*1e9 > math.MaxInt64 || t*1e9 < math.MinInt64 {
		return fmt.Errorf("The framework failover_timeout (%s) is invalid", double(t))
	}
	return nil
}

func multiRole(info *mesospb.FrameworkInfo) bool {
	return slices.ContainsFunc(info.GetCapabilities(), func(c *mesospb.FrameworkInfo_Capability) bool {
		return c.GetType() == mesospb.FrameworkInfo_Capability_MULTI_ROLE
	})
}

func frameworkRoles(info *mesospb.FrameworkInfo) error {
	role := info.Role
	if !multiRole(info) {
		if len(info.GetRoles()) > 0 {
			return errors.New("'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable")
		}
		return wrap("'FrameworkInfo.role' is not a valid role: ", roles.Validate(info.GetRole()))
	}
	if role != nil {
		return errors.New("'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable")
	}
	seen := make(map[string]bool)
	var repeated []string
	for _, one := range info.GetRoles() {
		if seen[one] && !slices.Contains(repeated, one) {
			repeated = append(repeated, one)
		}
		seen[one] = true
	}
	if len(repeated) > 0 {
		return fmt.Errorf("'FrameworkInfo.roles' contains duplicate items: %s", Set(repeated))
	}
	for _, one := range info.GetRoles() {
		if err := roles.Validate(one); err != nil {
			return wrap("'FrameworkInfo.roles' contains invalid role: ", err)
		}
	}
	return nil
}

func offerFilters(filters *mesospb.OfferFilters) error {
	for _, one := range filters.GetMinAllocatableResources().GetQuantities() {
		if len(one.GetQuantities()) == 0 {
			return errors.New("Resource quantities must contain at least one quantity")
		}
		for _, name := range sortedKeys(one.GetQuantities()) {
			if err := inputScalar(one.GetQuantities()[name].GetValue()); err != nil {
				return wrap("Invalid resource quantity for '"+name+"': ", err)
			}
		}
	}
	return nil
}

func inputScalar(v float64) error {
	switch {
	case math.IsInf(v, 0):
		return errors.New("Infinite values not supported")
	case math.IsNaN(v):
		return errors.New("NaN not supported")
	case v != 0 && math.Abs(v) < 0x1p-1022:
		return errors.New("Subnormal values not supported")
	case v < 0:
		return errors.New("Negative values not supported")
	}
	return nil
}

// FrameworkUpdate checks that new may replace old.
func FrameworkUpdate(old, new *mesospb.FrameworkInfo) error {
	if (old.Principal == nil) != (new.Principal == nil) || old.GetPrincipal() != new.GetPrincipal() {
		return errors.New("Changing framework's principal is not allowed.")
	}
	if old.GetUser() != new.GetUser() {
		return fmt.Errorf("Updating 'FrameworkInfo.user' is unsupported; attempted to update from '%s' to '%s'", old.GetUser(), new.GetUser())
	}
	if old.GetCheckpoint() != new.GetCheckpoint() {
		return fmt.Errorf("Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update from '%t' to '%t'", old.GetCheckpoint(), new.GetCheckpoint())
	}
	return nil
}

// SuppressedRoles checks that suppressed roles, and those with offer constraints,
// are among the framework's.
func SuppressedRoles(own, suppressed, constrained []string) error {
	var strange []string
	for _, role := range suppressed {
		if !slices.Contains(own, role) {
			strange = append(strange, role)
		}
	}
	if len(strange) > 0 {
		slices.Sort(strange)
		return fmt.Errorf("Suppressed roles %s are not contained in the set of roles", Set(slices.Compact(strange)))
	}
	slices.Sort(constrained)
	for _, role := range constrained {
		if !slices.Contains(own, role) {
			return fmt.Errorf("Offer constraints specify `role_constraints` for a role '%s'not contained in the set of roles", role)
		}
	}
	return nil
}

// Set is the original's text of a set: `{ a, b }`.
func Set(items []string) string { return "{ " + strings.Join(items, ", ") + " }" }
