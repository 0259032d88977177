package core

import "stoa/internal/mesos/mesospb"

// Messages of the model never change, so a change begins with a copy of one level.

func copyTask(t *mesospb.Task) *mesospb.Task {
	return &mesospb.Task{
		Name:              t.Name,
		TaskId:            t.TaskId,
		FrameworkId:       t.FrameworkId,
		ExecutorId:        t.ExecutorId,
		AgentId:           t.AgentId,
		State:             t.State,
		Resources:         t.Resources,
		Statuses:          t.Statuses,
		StatusUpdateState: t.StatusUpdateState,
		StatusUpdateUuid:  t.StatusUpdateUuid,
		Labels:            t.Labels,
		Discovery:         t.Discovery,
		Container:         t.Container,
		HealthCheck:       t.HealthCheck,
		KillPolicy:        t.KillPolicy,
		User:              t.User,
		Limits:            t.Limits,
	}
}

func copyStatus(s *mesospb.TaskStatus) *mesospb.TaskStatus {
	return &mesospb.TaskStatus{
		TaskId:          s.TaskId,
		State:           s.State,
		Message:         s.Message,
		Source:          s.Source,
		Reason:          s.Reason,
		Data:            s.Data,
		AgentId:         s.AgentId,
		ExecutorId:      s.ExecutorId,
		Timestamp:       s.Timestamp,
		Uuid:            s.Uuid,
		Healthy:         s.Healthy,
		CheckStatus:     s.CheckStatus,
		Labels:          s.Labels,
		ContainerStatus: s.ContainerStatus,
		UnreachableTime: s.UnreachableTime,
		Limitation:      s.Limitation,
	}
}
