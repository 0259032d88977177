package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"stoa/internal/flags"
	"stoa/master/core"
)

// removalInterval reads --agent_removal_rate_limit, like "1/10mins", as the time between
// two agents; 0 is no limit.
func removalInterval(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	count, per, ok := strings.Cut(text, "/")
	if !ok || strings.Contains(per, "/") {
		return 0, fmt.Errorf("Invalid agent_removal_rate_limit: %s. Format is <Number of agents>/<Duration>", text)
	}
	n, err := strconv.ParseInt(count, 10, 32)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("Invalid agent_removal_rate_limit: %s. Format is <Number of agents>/<Duration>: the number must be a whole one above 0", text)
	}
	d, err := flags.ParseDuration(per)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("Invalid agent_removal_rate_limit: %s. Format is <Number of agents>/<Duration>: the duration must be like 10mins", text)
	}
	return d / time.Duration(n), nil
}

// removalLimit reads --recovery_agent_removal_limit, like "50%", as the core wants it: a
// share above 0, or a negative number for none.
func removalLimit(text string) (float64, error) {
	number, ok := strings.CutSuffix(text, "%")
	if !ok {
		return 0, fmt.Errorf("Invalid value '%s' for --recovery_agent_removal_limit: missing '%%'", text)
	}
	percent, err := strconv.ParseFloat(number, 64)
	if err != nil || !(percent >= 0 && percent <= 100) {
		return 0, fmt.Errorf("Invalid value '%s' for --recovery_agent_removal_limit: Must be within [0%%-100%%]", text)
	}
	if percent == 0 {
		return -1, nil
	}
	return percent / 100, nil
}

// whitelistPath is the file of --whitelist, empty for all agents.
func whitelistPath(v *flags.Values) string {
	path := v.String("whitelist")
	if path == "*" { // the old way to say all agents
		return ""
	}
	return strings.TrimPrefix(path, "file://")
}

func removalRateIsOne(v *flags.Values) error {
	_, err := removalInterval(v.String("agent_removal_rate_limit"))
	return err
}

func removalLimitIsOne(v *flags.Values) error {
	_, err := removalLimit(v.String("recovery_agent_removal_limit"))
	return err
}

func pingTimeoutInBounds(v *flags.Values) error {
	if d := v.Duration("agent_ping_timeout"); d < time.Second || d > 15*time.Minute {
		return errors.New("Expected `--agent_ping_timeout` to be between 1secs and 15mins")
	}
	return nil
}

func pingTimeoutsInBounds(v *flags.Values) error {
	if v.Int("max_agent_ping_timeouts") < 1 {
		return errors.New("Expected `--max_agent_ping_timeouts` to be at least 1")
	}
	return nil
}

func reregisterTimeoutInBounds(v *flags.Values) error {
	if d := v.Duration("agent_reregister_timeout"); d < core.DefaultAgentReregisterTimeout {
		return fmt.Errorf("Invalid value '%s' for --agent_reregister_timeout: Must be at least 10mins", flags.FormatDuration(d))
	}
	return nil
}

func offerTimeoutInBounds(v *flags.Values) error {
	if v.Given("offer_timeout") && v.Duration("offer_timeout") <= 0 {
		return fmt.Errorf("Invalid value '%s' for --offer_timeout: Must be greater than zero", flags.FormatDuration(v.Duration("offer_timeout")))
	}
	return nil
}
