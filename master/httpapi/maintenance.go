package httpapi

import (
	"net/http"

	"stoa/internal/auth"
	"stoa/internal/httpd"
	"stoa/internal/mesos/maintenancepb"
	"stoa/internal/mesos/masterpb"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
	"google.golang.org/protobuf/proto"
)

// maintain carries out the calls about maintenance. It says whether the call was one of
// them.
func (s *server) maintain(a answer, call *masterpb.Call) bool {
	switch call.GetType() {
	case masterpb.Call_GET_MAINTENANCE_STATUS:
		if snapshot, ok := s.snapshot(a.c); ok {
			a.message(&masterpb.Response{
				Type:                 masterpb.Response_GET_MAINTENANCE_STATUS.Enum(),
				GetMaintenanceStatus: &masterpb.Response_GetMaintenanceStatus{Status: s.maintenanceOf(a.c, snapshot).Status},
			})
		}
	case masterpb.Call_GET_MAINTENANCE_SCHEDULE:
		if snapshot, ok := s.snapshot(a.c); ok {
			a.message(&masterpb.Response{
				Type:                   masterpb.Response_GET_MAINTENANCE_SCHEDULE.Enum(),
				GetMaintenanceSchedule: &masterpb.Response_GetMaintenanceSchedule{Schedule: s.maintenanceOf(a.c, snapshot).Schedule},
			})
		}
	case masterpb.Call_UPDATE_MAINTENANCE_SCHEDULE:
		s.updateMaintenance(a.c, call.GetUpdateMaintenanceSchedule().GetSchedule())
	case masterpb.Call_START_MAINTENANCE:
		s.startMaintenance(a.c, call.GetStartMaintenance().GetMachines())
	case masterpb.Call_STOP_MAINTENANCE:
		s.stopMaintenance(a.c, call.GetStopMaintenance().GetMachines())
	default:
		return false
	}
	return true
}

// maintenanceOf is what a snapshot says of maintenance, as far as the client may see it;
// a snapshot that was not made by a core may say nothing.
func (s *server) maintenanceOf(c *gin.Context, snapshot *core.Snapshot) *core.MaintenanceView {
	v := core.MaintenanceView{Schedule: &maintenancepb.Schedule{}, Status: &maintenancepb.ClusterStatus{}}
	if snapshot.Maintenance == nil {
		return &v
	}
	if s.may(c, auth.GetMaintenanceSchedule, nil) {
		v.Schedule = snapshot.Maintenance.Schedule
	}
	if s.may(c, auth.GetMaintenanceStatus, nil) {
		v.Status = snapshot.Maintenance.Status
	}
	return &v
}

func (s *server) updateMaintenance(c *gin.Context, schedule *maintenancepb.Schedule) {
	if !s.allowed(c, auth.UpdateMaintenanceSchedule, nil) {
		return
	}
	s.ask(c, func(id core.RequestID) core.Event {
		return core.UpdateMaintenance{Request: id, Schedule: schedule}
	})
}

func (s *server) startMaintenance(c *gin.Context, machines []*mesospb.MachineID) {
	if !s.allowed(c, auth.StartMaintenance, nil) {
		return
	}
	s.ask(c, func(id core.RequestID) core.Event {
		return core.StartMaintenance{Request: id, Machines: machines}
	})
}

func (s *server) stopMaintenance(c *gin.Context, machines []*mesospb.MachineID) {
	if !s.allowed(c, auth.StopMaintenance, nil) {
		return
	}
	s.ask(c, func(id core.RequestID) core.Event {
		return core.StopMaintenance{Request: id, Machines: machines}
	})
}

// maintenanceStatus serves /maintenance/status.
func (s *server) maintenanceStatus(c *gin.Context) {
	if snapshot, ok := s.snapshot(c); ok {
		sorted(c, s.maintenanceOf(c, snapshot).Status)
	}
}

// maintenanceSchedule serves GET /maintenance/schedule.
func (s *server) maintenanceSchedule(c *gin.Context) {
	if snapshot, ok := s.snapshot(c); ok {
		sorted(c, s.maintenanceOf(c, snapshot).Schedule)
	}
}

// sorted answers with a message whose keys are in alphabetical order.
func sorted(c *gin.Context, m proto.Message) {
	document(c, func(dst *[]byte) { *dst = mesosjson.AppendSorted(*dst, m, mesosjson.V0) })
}

// setMaintenanceSchedule serves POST /maintenance/schedule. What is wrong with the body
// is the whole answer.
func (s *server) setMaintenanceSchedule(c *gin.Context) {
	body, ok := parsedBody(c, mesosjson.ObjectKind)
	if !ok {
		return
	}
	schedule := &maintenancepb.Schedule{}
	if err := body.Unmarshal(schedule, mesosjson.V0); err != nil {
		httpd.Text(c, http.StatusBadRequest, err.Error())
		return
	}
	s.updateMaintenance(c, schedule)
}

// machines serves /machine/down and /machine/up, whose body is a list of machines.
func machines(direct func(*gin.Context, []*mesospb.MachineID)) gin.HandlerFunc {
	return func(c *gin.Context) {
		body, ok := parsedBody(c, mesosjson.ArrayKind)
		if !ok {
			return
		}
		list, err := mesosjson.UnmarshalList[mesospb.MachineID](body, mesosjson.V0)
		if err != nil {
			httpd.Text(c, http.StatusBadRequest, err.Error())
			return
		}
		direct(c, list)
	}
}

// parsedBody reads a body of JSON, or answers what is wrong with it.
func parsedBody(c *gin.Context, kind mesosjson.Kind) (mesosjson.Value, bool) {
	body, ok := httpd.Body(c, 0)
	if !ok {
		return mesosjson.Value{}, false
	}
	v, err := mesosjson.ParseKind(body, kind)
	if err != nil {
		httpd.Text(c, http.StatusBadRequest, err.Error())
		return mesosjson.Value{}, false
	}
	return v, true
}
