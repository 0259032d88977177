package validation

import (
	"errors"
	"fmt"
	"strings"

	"stoa/internal/mesos/mesospb"
)

// HealthCheck checks a task's health check.
func HealthCheck(h *mesospb.HealthCheck) error {
	if h.Type == nil {
		return errors.New("HealthCheck must specify 'type'")
	}
	switch h.GetType() {
	case mesospb.HealthCheck_COMMAND:
		if h.Command == nil {
			return errors.New("Expecting 'command' to be set for COMMAND health check")
		}
		if err := checkCommand(h.Command, "Command health check", "Health check's"); err != nil {
			return err
		}
	case mesospb.HealthCheck_HTTP:
		if h.Http == nil {
			return errors.New("Expecting 'http' to be set for HTTP health check")
		}
		if s := h.Http.Scheme; s != nil && *s != "http" && *s != "https" {
			return fmt.Errorf("Unsupported HTTP health check scheme: '%s'", *s)
		}
		if p := h.Http.Path; p != nil && !strings.HasPrefix(*p, "/") {
			return fmt.Errorf("The path '%s' of HTTP health check must start with '/'", *p)
		}
	case mesospb.HealthCheck_TCP:
		if h.Tcp == nil {
			return errors.New("Expecting 'tcp' to be set for TCP health check")
		}
	default:
		return errors.New("'UNKNOWN' is not a valid health check type")
	}
	return notNegative(
		amount{"delay_seconds", h.DelaySeconds},
		amount{"grace_period_seconds", h.GracePeriodSeconds},
		amount{"interval_seconds", h.IntervalSeconds},
		amount{"timeout_seconds", h.TimeoutSeconds},
	)
}

// CheckInfo checks a task's general check.
func CheckInfo(c *mesospb.CheckInfo) error {
	if c.Type == nil {
		return errors.New("CheckInfo must specify 'type'")
	}
	switch c.GetType() {
	case mesospb.CheckInfo_COMMAND:
		if c.Command == nil {
			return errors.New("Expecting 'command' to be set for COMMAND check")
		}
		if err := checkCommand(c.Command.GetCommand(), "Command check", "Check's"); err != nil {
			return err
		}
	case mesospb.CheckInfo_HTTP:
		if c.Http == nil {
			return errors.New("Expecting 'http' to be set for HTTP check")
		}
		if p := c.Http.Path; p != nil && !strings.HasPrefix(*p, "/") {
			return fmt.Errorf("The path '%s' of HTTP check must start with '/'", *p)
		}
	case mesospb.CheckInfo_TCP:
		if c.Tcp == nil {
			return errors.New("Expecting 'tcp' to be set for TCP check")
		}
	default:
		return errors.New("'UNKNOWN' is not a valid check type")
	}
	return notNegative(
		amount{"delay_seconds", c.DelaySeconds},
		amount{"interval_seconds", c.IntervalSeconds},
		amount{"timeout_seconds", c.TimeoutSeconds},
	)
}

func checkCommand(command *mesospb.CommandInfo, what, whose string) error {
	if command == nil || command.Value == nil {
		kind := "'executable path'"
		if command.GetShell() {
			kind = "'shell command'"
		}
		return fmt.Errorf("%s must contain %s", what, kind)
	}
	return wrap(whose+" `CommandInfo` is invalid: ", CommandInfo(command))
}

type amount struct {
	name  string
	value *float64
}

func notNegative(amounts ...amount) error {
	for _, a := range amounts {
		if a.value != nil && *a.value < 0 {
			return fmt.Errorf("Expecting '%s' to be non-negative", a.name)
		}
	}
	return nil
}
