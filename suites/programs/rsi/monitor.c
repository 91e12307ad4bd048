/*
 * Making a monitor of an interface: one that gets all frames and belongs to no network.
 *
 * Why the tests do: before 4f431d88ea80 (v6.19) the driver asks for no room for its own data
 * behind a struct ieee80211_vif. rsi_mac80211_add_interface writes there all the same, into the
 * queue that mac80211 keeps behind it from 6.2 on, and the first ieee80211_do_stop oopses in
 * fq_flow_reset, before it comes to the driver's stop. mac80211 tells a driver of monitors only
 * if it asks for that, and this one does not: nothing is written, the queue stays whole. The
 * driver's start and stop, and the locks around them, are the same for every kind of interface.
 */
#include <linux/genetlink.h>
#include <linux/nl80211.h>

struct generic_message {
	struct nlmsghdr header;
	struct genlmsghdr generic;
	char attributes[8192];	/* the answer about nl80211 names all its commands */
};

static void add_attribute(struct generic_message *message, unsigned type, const void *value,
			  unsigned length)
{
	struct nlattr *attribute =
		(struct nlattr *)((char *)message + NLMSG_ALIGN(message->header.nlmsg_len));

	attribute->nla_type = type;
	attribute->nla_len = NLA_HDRLEN + length;
	memcpy((char *)attribute + NLA_HDRLEN, value, length);
	message->header.nlmsg_len =
		NLMSG_ALIGN(message->header.nlmsg_len) + NLA_ALIGN(attribute->nla_len);
}

static struct generic_message generic_request(unsigned family, unsigned command)
{
	struct generic_message message = {
		.header = { .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN), .nlmsg_type = family,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.generic = { .cmd = command, .version = 1 },
	};

	return message;
}

/*
 * Sends the request, and leaves the answer in its place if there is one before the kernel's
 * acknowledgement. Returns 0 or an errno.
 */
static int ask_kernel(int netlink, struct generic_message *message)
{
	struct generic_message answer;

	if (send(netlink, message, message->header.nlmsg_len, 0) < 0)
		return errno;
	for (;;) {
		ssize_t got = recv(netlink, &answer, sizeof(answer), 0);

		if (got < (ssize_t)sizeof(struct nlmsghdr))
			return got < 0 ? errno : EPROTO;
		if (answer.header.nlmsg_type == NLMSG_ERROR)
			return -((struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
		*message = answer;
		if (answer.header.nlmsg_len > (size_t)got)
			return EPROTO;
	}
}

/* The value of an attribute of 16 bits, or 0. */
static unsigned short attribute_u16(const struct generic_message *message, unsigned type)
{
	const char *at = message->attributes;
	const char *end = (const char *)message + message->header.nlmsg_len;

	while (at + NLA_HDRLEN <= end) {
		const struct nlattr *attribute = (const struct nlattr *)at;

		if (attribute->nla_len < NLA_HDRLEN)
			break;
		if (attribute->nla_type == type && attribute->nla_len == NLA_HDRLEN + 2)
			return *(const unsigned short *)(at + NLA_HDRLEN);
		at += NLA_ALIGN(attribute->nla_len);
	}
	return 0;
}

/* The interface has to be down. Returns 0 or an errno. */
static int make_monitor(const char name[IFNAMSIZ])
{
	unsigned index = if_nametoindex(name), kind = NL80211_IFTYPE_MONITOR;
	int reason, netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	struct generic_message message = generic_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY);

	if (netlink < 0 || !index)
		return errno;
	add_attribute(&message, CTRL_ATTR_FAMILY_NAME, "nl80211", sizeof("nl80211"));
	reason = ask_kernel(netlink, &message);
	if (!reason) {
		message = generic_request(attribute_u16(&message, CTRL_ATTR_FAMILY_ID),
					  NL80211_CMD_SET_INTERFACE);
		add_attribute(&message, NL80211_ATTR_IFINDEX, &index, sizeof(index));
		add_attribute(&message, NL80211_ATTR_IFTYPE, &kind, sizeof(kind));
		reason = ask_kernel(netlink, &message);
	}
	close(netlink);
	return reason;
}
