/* SPDX-License-Identifier: Apache-2.0 */
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>

#include "gate.h"

enum { ETH = sizeof(struct ether_header), TCP_MIN = sizeof(struct tcphdr) };

/* What of an IPv4 packet is looked at. */
struct packet {
    struct iphdr ip;
    const uint8_t *payload;
    size_t len;
};

static uint16_t kind_of(const uint8_t *frame)
{
    uint16_t type;
    memcpy(&type, frame + offsetof(struct ether_header, ether_type), sizeof(type));
    return ntohs(type);
}

/* A whole packet: of a fragment the rest cannot be judged. */
static bool read_packet(const uint8_t *frame, size_t len, struct packet *ret)
{
    if (len < ETH + sizeof(ret->ip) || kind_of(frame) != ETHERTYPE_IP)
        return false;
    memcpy(&ret->ip, frame + ETH, sizeof(ret->ip));
    size_t header = ret->ip.ihl * 4U;
    if (ret->ip.version != 4 || header < sizeof(ret->ip) || len < ETH + header)
        return false;
    ret->payload = frame + ETH + header;
    ret->len = len - ETH - header;
    return !(ntohs(ret->ip.frag_off) & (IP_MF | IP_OFFMASK));
}

static struct emu_gate_flow flow_of(const struct packet *packet, bool inward)
{
    struct udphdr udp;
    memcpy(&udp, packet->payload, sizeof(udp));
    return inward ? (struct emu_gate_flow){.guest = packet->ip.daddr,
                                           .host = packet->ip.saddr,
                                           .guest_port = udp.dest,
                                           .host_port = udp.source}
                  : (struct emu_gate_flow){.guest = packet->ip.saddr,
                                           .host = packet->ip.daddr,
                                           .guest_port = udp.source,
                                           .host_port = udp.dest};
}

static size_t slot_of(const struct emu_gate_flow *flow)
{
    uint32_t mixed = ntohl(flow->guest) * 31U + flow->guest_port;
    mixed = mixed * 31U + flow->host_port + ntohl(flow->host);
    return (mixed ^ mixed >> 16) % EMU_GATE_FLOWS;
}

static bool same_flow(const struct emu_gate_flow *a, const struct emu_gate_flow *b)
{
    return a->guest == b->guest && a->host == b->host && a->guest_port == b->guest_port &&
           a->host_port == b->host_port;
}

enum emu_gate_verdict emu_gate_inward(struct emu_gate *gate, const uint8_t *frame, size_t len,
                                      int64_t now)
{
    struct packet packet;
    if (len < ETH)
        return EMU_GATE_DROP;
    if (kind_of(frame) == ETHERTYPE_ARP)
        return EMU_GATE_PASS;
    if (!read_packet(frame, len, &packet))
        return kind_of(frame) == ETHERTYPE_IP ? EMU_GATE_PASS : EMU_GATE_DROP;
    if (packet.ip.protocol == IPPROTO_UDP && packet.len >= sizeof(struct udphdr)) {
        struct emu_gate_flow flow = flow_of(&packet, true);
        flow.at = now;
        gate->flows[slot_of(&flow)] = flow;
    }
    return EMU_GATE_PASS;
}

/* A connection begins with a SYN that acknowledges nothing. */
static enum emu_gate_verdict judge_tcp(const struct packet *packet)
{
    struct tcphdr tcp;
    if (packet->len < TCP_MIN)
        return EMU_GATE_DROP;
    memcpy(&tcp, packet->payload, sizeof(tcp));
    return tcp.syn && !tcp.ack ? EMU_GATE_REFUSE : EMU_GATE_PASS;
}

static enum emu_gate_verdict judge_icmp(const struct packet *packet)
{
    uint8_t type = packet->len ? packet->payload[0] : ICMP_ECHO;
    return type == ICMP_ECHOREPLY || type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED
               ? EMU_GATE_PASS
               : EMU_GATE_DROP;
}

enum emu_gate_verdict emu_gate_outward(const struct emu_gate *gate, const uint8_t *frame,
                                       size_t len, int64_t now)
{
    struct packet packet;
    if (len >= ETH && kind_of(frame) == ETHERTYPE_ARP)
        return EMU_GATE_PASS;
    if (!read_packet(frame, len, &packet))
        return EMU_GATE_DROP;
    if (packet.ip.protocol == IPPROTO_TCP)
        return judge_tcp(&packet);
    if (packet.ip.protocol == IPPROTO_ICMP)
        return judge_icmp(&packet);
    if (packet.ip.protocol != IPPROTO_UDP || packet.len < sizeof(struct udphdr))
        return EMU_GATE_DROP;
    struct emu_gate_flow flow = flow_of(&packet, false);
    const struct emu_gate_flow *known = &gate->flows[slot_of(&flow)];
    return same_flow(known, &flow) && known->at && now - known->at < EMU_GATE_FLOW_MS
               ? EMU_GATE_PASS
               : EMU_GATE_DROP;
}

/* The Internet checksum (RFC 1071) of `len` bytes, an even number, on top of `sum`. */
static uint16_t checksum(const void *bytes, size_t len, uint32_t sum)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)at[i] << 8 | at[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

void emu_gate_refusal(const uint8_t *frame, uint8_t ret[static EMU_GATE_REFUSAL])
{
    struct packet packet;
    struct tcphdr asked;
    memset(ret, 0, EMU_GATE_REFUSAL);
    if (!read_packet(frame, ETH + sizeof(struct iphdr) + 40 + TCP_MIN, &packet))
        return;
    memcpy(&asked, packet.payload, sizeof(asked));
    struct iphdr ip = {.version = 4,
                       .ihl = 5,
                       .tot_len = htons(sizeof(struct iphdr) + TCP_MIN),
                       .frag_off = htons(IP_DF),
                       .ttl = 64,
                       .protocol = IPPROTO_TCP,
                       .saddr = packet.ip.daddr,
                       .daddr = packet.ip.saddr};
    struct tcphdr tcp = {.source = asked.dest,
                         .dest = asked.source,
                         .ack_seq = htonl(ntohl(asked.seq) + 1),
                         .doff = 5,
                         .rst = 1,
                         .ack = 1};
    ip.check = checksum(&ip, sizeof(ip), 0);
    uint32_t pseudo = IPPROTO_TCP + TCP_MIN;
    pseudo += (ntohl(ip.saddr) >> 16) + (ntohl(ip.saddr) & 0xffff);
    pseudo += (ntohl(ip.daddr) >> 16) + (ntohl(ip.daddr) & 0xffff);
    tcp.check = checksum(&tcp, sizeof(tcp), pseudo);
    memcpy(ret, frame + ETHER_ADDR_LEN, ETHER_ADDR_LEN);
    memcpy(ret + ETHER_ADDR_LEN, frame, ETHER_ADDR_LEN);
    memcpy(ret + 2 * ETHER_ADDR_LEN, frame + 2 * ETHER_ADDR_LEN, 2);
    memcpy(ret + ETH, &ip, sizeof(ip));
    memcpy(ret + ETH + sizeof(ip), &tcp, sizeof(tcp));
}
