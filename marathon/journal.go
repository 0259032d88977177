package marathon

import (
	"log/slog"

	"stoa/marathon/event"
	"stoa/marathon/instance"
)

// journal tells the operator, in the log, what the events tell the world: what was
// changed and what went wrong.
func journal(log *slog.Logger, e event.Event) {
	switch e := e.(type) {
	case event.SchedulerRegistered:
		log.Info("registered with the master", "master", e.Master, "framework", e.FrameworkID)
	case event.SchedulerReregistered:
		log.Info("registered again with the master", "master", e.Master)
	case event.SchedulerDisconnected:
		log.Warn("disconnected from the master; tasks go on, nothing is launched")
	case event.GroupChangeFailed:
		log.Info("change refused", "group", e.GroupID, "reason", e.Reason)
	case event.DeploymentStep:
		if e.Kind == event.TypeDeploymentInfo {
			log.Info("deployment step", "deployment", e.Plan.ID, "actions", actions(e))
		}
	case event.DeploymentSuccess:
		log.Info("deployment done", "deployment", e.Plan.ID)
	case event.DeploymentFailed:
		log.Warn("deployment failed", "deployment", e.Plan.ID, "reason", e.Reason)
	case event.StatusUpdate:
		switch e.Task.Condition {
		case instance.Failed, instance.Error, instance.Dropped, instance.Gone, instance.Unknown, instance.Unreachable:
			log.Warn("task ended or was lost", "task", e.Task.ID, "state", e.Task.Status.GetState(),
				"host", e.Instance.Hostname(), "message", e.Task.Status.GetMessage())
		default:
			log.Debug("task", "task", e.Task.ID, "state", e.Task.Condition, "host", e.Instance.Hostname())
		}
	case event.UnhealthyInstanceKill:
		log.Warn("killing an unhealthy task", "instance", e.Instance.ID, "host", e.Instance.Hostname(), "reason", e.Reason)
	case event.UnknownInstanceTerminated:
		log.Info("an unknown task has ended", "instance", e.InstanceID, "condition", e.Condition)
	}
}

// actions writes a step as "ScaleApplication /a, RestartApplication /b".
func actions(e event.DeploymentStep) string {
	text := ""
	for n, a := range e.Step.Actions {
		if n == 10 {
			return text + ", …"
		}
		if n > 0 {
			text += ", "
		}
		text += string(a.Kind) + " " + string(a.App.ID)
	}
	return text
}
