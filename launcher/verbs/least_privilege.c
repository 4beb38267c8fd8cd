/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `least-privilege`: the smallest role that VM-1 works with. */
#include <stddef.h>
#include <stdio.h>

#include "launch.h"
#include "report.h"

struct args {
    bool manage, json;
};

static const struct vmcp_option options[] = {
    {"manage", NULL, VMCP_OPT_FLAG, offsetof(struct args, manage), 0, 0,
     "also what stop, delete and logs need"},
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0,
     "print one JSON object on stdout"},
    {0},
};

const struct vmcp_command launch_least_privilege_command = {
    .name = "vmcp-launch least-privilege",
    .operands = "",
    .summary = "print the smallest role that `launch` works with",
    .options = options,
    .details =
        "Prints the definition of a custom role, for `gcloud iam roles create`. A machine with a\n"
        "service account needs roles/iam.serviceAccountUser on that account too, one with an "
        "image\n"
        "of another project roles/compute.imageUser there, and one in a shared network\n"
        "roles/compute.networkUser on its subnetwork.\n",
    .example =
        "  vmcp-launch least-privilege > vm1-launcher.yaml\n"
        "  gcloud iam roles create vm1Launcher --project web-1234 --file vm1-launcher.yaml\n",
};

/* What each is for, in the order in which a launch needs them. */
static const struct {
    const char *permission;
    bool manage;
} permissions[] = {
    {"compute.instances.get", false},
    {"compute.images.get", false},
    {"compute.images.getFromFamily", false},
    {"compute.images.useReadOnly", false},
    {"compute.instances.create", false},
    {"compute.instances.setMetadata", false},
    {"compute.instances.setLabels", false},
    {"compute.instances.setTags", false},
    {"compute.instances.setServiceAccount", false},
    {"compute.disks.create", false},
    {"compute.subnetworks.use", false},
    {"compute.subnetworks.useExternalIp", false},
    {"compute.zoneOperations.get", false},
    {"compute.zoneOperations.list", false},
    {"compute.instances.start", false},
    {"compute.instances.resume", false},
    {"compute.instances.getGuestAttributes", false},
    {"compute.instances.stop", true},
    {"compute.instances.delete", true},
    {"compute.disks.delete", true},
    {"compute.instances.getSerialPortOutput", true},
};

static void print_role(const struct args *a, struct launch_report *report)
{
    if (!a->json)
        puts("title: vmcp launcher\n"
             "description: What vmcp-launch needs to make VMs from signed machines\n"
             "stage: GA\n"
             "includedPermissions:");
    for (size_t i = 0; i < sizeof(permissions) / sizeof(*permissions); i++) {
        if (permissions[i].manage && !a->manage)
            continue;
        if (a->json)
            json_array_append_new(launch_report_array(report, "includedPermissions"),
                                  json_string(permissions[i].permission));
        else
            printf("- %s\n", permissions[i].permission);
    }
}

int launch_least_privilege_main(int argc, char **argv)
{
    struct args a = {0};
    auto_report struct launch_report report =
        LAUNCH_REPORT("least-privilege", launch_wants_json(argc, argv));
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool help = false;
    int rc =
        vmcp_options_parse(&launch_least_privilege_command, argc, argv, &a, &operands, &help, &err);
    if (rc == 0 && help)
        return launch_help(&launch_least_privilege_command);
    if (rc == 0)
        print_role(&a, &report);
    return launch_report_end(&report, rc, &err);
}
