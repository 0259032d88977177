package core

import (
	"fmt"

	"stoa/internal/auth"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// unauthorized says what of the requests a principal may not do, in the original's words;
// nil if it may do all.
func (c *Core) unauthorized(principal string, requests ...auth.Request) error {
	if r := c.cfg.Authorizer.Refused(auth.As(principal), requests...); r != nil {
		return fmt.Errorf("Not authorized to %s", r)
	}
	return nil
}

// unauthorizedOperation says why a framework may not do what an operation asks for. The
// missing letter is the original's (Master::_accept).
func (c *Core) unauthorizedOperation(f *Framework, requests ...auth.Request) error {
	principal := f.Info.GetPrincipal()
	if r := c.cfg.Authorizer.Refused(auth.As(principal), requests...); r != nil {
		return fmt.Errorf("Principal '%s' no authorized to %s", principal, r)
	}
	return nil
}

// unauthorizedGroup says why a framework may not launch a group of tasks: the last of
// those it may not launch is named.
func (c *Core) unauthorizedGroup(f *Framework, tasks []*mesospb.TaskInfo) (err error) {
	for _, t := range tasks {
		if r := c.cfg.Authorizer.Refused(auth.As(f.Info.GetPrincipal()), auth.Launch(t, f.Info)); r != nil {
			err = fmt.Errorf("Task '%s' is not authorized to%s", t.GetTaskId().GetValue(), r)
		}
	}
	return err
}

// unauthorizedAgent says why a principal may not bring an agent with such resources,
// which are in the form with stacked reservations.
func (c *Core) unauthorizedAgent(principal, what string, info *mesospb.AgentInfo) error {
	if c.cfg.Authorizer.Refused(auth.As(principal), auth.AgentRegistration(info)...) == nil {
		return nil
	}
	who := "without a principal"
	if principal != "" {
		who = "with principal '" + principal + "'"
	}
	return fmt.Errorf("Not authorized to %s agent providing resources '%s' %s", what, resources.New(info.GetResources()...), who)
}
