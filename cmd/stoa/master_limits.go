package main

import (
	"fmt"

	"stoa/internal/flags"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/master"
	"stoa/master/core"
	"stoa/master/validation"
)

// rateLimits reads how fast frameworks on drivers may talk.
func rateLimits(v *flags.Values, c *master.Config) error {
	text := v.String("rate_limits")
	if text == "" {
		return nil
	}
	limits := new(mesospb.RateLimits)
	if err := mesosjson.Unmarshal([]byte(text), limits, mesosjson.V0); err != nil {
		return fmt.Errorf("Failed to load flag 'rate_limits': Failed to load value '%s': %w", text, err)
	}
	if err := core.CheckRateLimits(limits); err != nil {
		return fmt.Errorf("--rate_limits: %w", err)
	}
	c.Core.RateLimits = limits
	c.Flags["rate_limits"] = validation.DebugString(limits) // shown as the original shows it
	return nil
}
