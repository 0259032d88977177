package auth

// Action is something that may be allowed or not; the names are those of
// mesos.authorization.Action.
type Action int

// Actions.
const (
	RegisterFramework Action = iota + 1
	RunTask
	TeardownFramework
	ReserveResources
	UnreserveResources
	CreateVolume
	DestroyVolume
	ResizeVolume
	GetEndpoint
	ViewRole
	UpdateWeight
	GetQuota
	UpdateQuota
	ViewFramework
	ViewTask
	ViewExecutor
	AccessSandbox
	AccessMesosLog
	ViewFlags
	LaunchNestedContainer
	KillNestedContainer
	WaitNestedContainer
	RemoveNestedContainer
	LaunchNestedContainerSession
	AttachContainerInput
	AttachContainerOutput
	ViewContainer
	SetLogLevel
	RegisterAgent
	UpdateMaintenanceSchedule
	GetMaintenanceSchedule
	StartMaintenance
	StopMaintenance
	GetMaintenanceStatus
	DrainAgent
	DeactivateAgent
	ReactivateAgent
	MarkAgentGone
	LaunchStandaloneContainer
	KillStandaloneContainer
	WaitStandaloneContainer
	RemoveStandaloneContainer
	ViewStandaloneContainer
	ModifyResourceProviderConfig
	MarkResourceProviderGone
	ViewResourceProvider
	PruneImages
	CreateBlockDisk
	DestroyBlockDisk
	CreateMountDisk
	DestroyMountDisk
	DestroyRawDisk

	lastAction = DestroyRawDisk
)

// kind says what the objects of an action are named by, and how they are compared.
type kind int

const (
	// byUser and byPrincipal compare names, byPath paths of endpoints.
	byUser kind = iota
	byPrincipal
	byPath
	// byRole compares roles; an entry "x/%" stands for every role below x.
	byRole
	// whole: there is one object only, so entries are ANY or NONE.
	whole
)

// rule is what is known of an action: its name in texts, the field of ACLs that lists
// its rules, and what its objects are.
type rule struct {
	name  string
	field string
	kind  kind
}

var rules = [lastAction + 1]rule{
	RegisterFramework:            {"REGISTER_FRAMEWORK", "register_frameworks", byRole},
	RunTask:                      {"RUN_TASK", "run_tasks", byUser},
	TeardownFramework:            {"TEARDOWN_FRAMEWORK", "teardown_frameworks", byPrincipal},
	ReserveResources:             {"RESERVE_RESOURCES", "reserve_resources", byRole},
	UnreserveResources:           {"UNRESERVE_RESOURCES", "unreserve_resources", byPrincipal},
	CreateVolume:                 {"CREATE_VOLUME", "create_volumes", byRole},
	DestroyVolume:                {"DESTROY_VOLUME", "destroy_volumes", byPrincipal},
	ResizeVolume:                 {"RESIZE_VOLUME", "resize_volumes", byRole},
	GetEndpoint:                  {"GET_ENDPOINT_WITH_PATH", "get_endpoints", byPath},
	ViewRole:                     {"VIEW_ROLE", "view_roles", byRole},
	UpdateWeight:                 {"UPDATE_WEIGHT", "update_weights", byRole},
	GetQuota:                     {"GET_QUOTA", "get_quotas", byRole},
	UpdateQuota:                  {"UPDATE_QUOTA", "update_quotas", byRole},
	ViewFramework:                {"VIEW_FRAMEWORK", "view_frameworks", byUser},
	ViewTask:                     {"VIEW_TASK", "view_tasks", byUser},
	ViewExecutor:                 {"VIEW_EXECUTOR", "view_executors", byUser},
	AccessSandbox:                {"ACCESS_SANDBOX", "access_sandboxes", byUser},
	AccessMesosLog:               {"ACCESS_MESOS_LOG", "access_mesos_logs", whole},
	ViewFlags:                    {"VIEW_FLAGS", "view_flags", whole},
	LaunchNestedContainer:        {"LAUNCH_NESTED_CONTAINER", "launch_nested_containers_as_user", byUser},
	KillNestedContainer:          {"KILL_NESTED_CONTAINER", "kill_nested_containers", byUser},
	WaitNestedContainer:          {"WAIT_NESTED_CONTAINER", "wait_nested_containers", byUser},
	RemoveNestedContainer:        {"REMOVE_NESTED_CONTAINER", "remove_nested_containers", byUser},
	LaunchNestedContainerSession: {"LAUNCH_NESTED_CONTAINER_SESSION", "launch_nested_container_sessions_as_user", byUser},
	AttachContainerInput:         {"ATTACH_CONTAINER_INPUT", "attach_containers_input", byUser},
	AttachContainerOutput:        {"ATTACH_CONTAINER_OUTPUT", "attach_containers_output", byUser},
	ViewContainer:                {"VIEW_CONTAINER", "view_containers", byUser},
	SetLogLevel:                  {"SET_LOG_LEVEL", "set_log_level", whole},
	RegisterAgent:                {"REGISTER_AGENT", "register_agents", whole},
	UpdateMaintenanceSchedule:    {"UPDATE_MAINTENANCE_SCHEDULE", "update_maintenance_schedules", whole},
	GetMaintenanceSchedule:       {"GET_MAINTENANCE_SCHEDULE", "get_maintenance_schedules", whole},
	StartMaintenance:             {"START_MAINTENANCE", "start_maintenances", whole},
	StopMaintenance:              {"STOP_MAINTENANCE", "stop_maintenances", whole},
	GetMaintenanceStatus:         {"GET_MAINTENANCE_STATUS", "get_maintenance_statuses", whole},
	DrainAgent:                   {"DRAIN_AGENT", "drain_agents", whole},
	DeactivateAgent:              {"DEACTIVATE_AGENT", "deactivate_agents", whole},
	ReactivateAgent:              {"REACTIVATE_AGENT", "reactivate_agents", whole},
	MarkAgentGone:                {"MARK_AGENT_GONE", "mark_agents_gone", whole},
	LaunchStandaloneContainer:    {"LAUNCH_STANDALONE_CONTAINER", "launch_standalone_containers", whole},
	KillStandaloneContainer:      {"KILL_STANDALONE_CONTAINER", "kill_standalone_containers", whole},
	WaitStandaloneContainer:      {"WAIT_STANDALONE_CONTAINER", "wait_standalone_containers", whole},
	RemoveStandaloneContainer:    {"REMOVE_STANDALONE_CONTAINER", "remove_standalone_containers", whole},
	ViewStandaloneContainer:      {"VIEW_STANDALONE_CONTAINER", "view_standalone_containers", whole},
	ModifyResourceProviderConfig: {"MODIFY_RESOURCE_PROVIDER_CONFIG", "modify_resource_provider_configs", whole},
	MarkResourceProviderGone:     {"MARK_RESOURCE_PROVIDER_GONE", "mark_resource_providers_gone", whole},
	ViewResourceProvider:         {"VIEW_RESOURCE_PROVIDER", "view_resource_providers", whole},
	PruneImages:                  {"PRUNE_IMAGES", "prune_images", whole},
	CreateBlockDisk:              {"CREATE_BLOCK_DISK", "create_block_disks", byRole},
	DestroyBlockDisk:             {"DESTROY_BLOCK_DISK", "destroy_block_disks", byRole},
	CreateMountDisk:              {"CREATE_MOUNT_DISK", "create_mount_disks", byRole},
	DestroyMountDisk:             {"DESTROY_MOUNT_DISK", "destroy_mount_disks", byRole},
	DestroyRawDisk:               {"DESTROY_RAW_DISK", "destroy_raw_disks", byRole},
}

// parentFields are the second lists of the two actions that ask twice: as whom the new
// container runs, and as whom the one above it.
var parentFields = map[Action]string{
	LaunchNestedContainer:        "launch_nested_containers_under_parent_with_user",
	LaunchNestedContainerSession: "launch_nested_container_sessions_under_parent_with_user",
}

// String is the action's name as it stands in the original's texts.
func (a Action) String() string {
	if a < 1 || a > lastAction {
		return "UNKNOWN"
	}
	return rules[a].name
}
