package main

import (
	"fmt"
	"strings"

	"stoa/internal/flags"
	"stoa/internal/mesos/resources"
	"stoa/master/allocator"
	"stoa/master/core"
)

// allocatorPolicies reads the flags that are about who is offered what.
func allocatorPolicies(v *flags.Values, c *core.Config) error {
	switch name := v.String("allocator"); name {
	case "hierarchical", "HierarchicalDRF":
	default:
		return fmt.Errorf("--allocator: %q is not known; hierarchical is the only one", name)
	}
	var err error
	if c.RoleSorter, err = sorter(v, "role_sorter"); err != nil {
		return err
	}
	if c.FrameworkSorter, err = sorter(v, "framework_sorter"); err != nil {
		return err
	}
	if c.MinAllocatable, err = minAllocatable(v.String("min_allocatable_resources")); err != nil {
		return err
	}
	// The core takes 0 for the default: what is meant here is not to wait.
	if c.AllocatorRecoveryFactor = v.Float("allocator_agent_recovery_factor"); c.AllocatorRecoveryFactor == 0 {
		c.AllocatorRecoveryFactor = -1
	}
	c.AllocatorRecoveryTimeout = max(v.Duration("allocator_recovery_timeout"), 1)
	c.OfferConstraintLimits = allocator.RegexLimits{
		MaxMemory:  int64(min(v.Bytes("offer_constraints_re2_max_mem"), 1<<40)),
		MaxProgram: v.Int("offer_constraints_re2_max_program_size"),
	}
	return nil
}

func sorter(v *flags.Values, name string) (allocator.Sorter, error) {
	switch text := v.String(name); text {
	case "drf":
		return allocator.DRF, nil
	case "random":
		return allocator.Random, nil
	default:
		return 0, fmt.Errorf("--%s: %q is neither drf nor random", name, text)
	}
}

// minAllocatable reads "cpus:0.01|mem:32;disk:1": sets of amounts of which one must be
// met.
func minAllocatable(text string) ([]resources.Quantities, error) {
	sets := []resources.Quantities{}
	for set := range strings.SplitSeq(text, "|") {
		if set == "" {
			continue
		}
		q, err := resources.ParseQuantities(set)
		if err != nil {
			return nil, fmt.Errorf("Error parsing min_allocatable_resources '%s': %w", text, err)
		}
		sets = append(sets, q)
	}
	return sets, nil
}
