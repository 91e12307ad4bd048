/* The network interface that the driver makes of the adapter: found, set up and down. */
#include <dirent.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The first wireless interface of the machine. Returns whether there is one. */
static bool find_interface(char name[IFNAMSIZ])
{
	DIR *all = opendir("/sys/class/net");
	struct dirent *entry;
	bool found = false;

	while (all && !found && (entry = readdir(all))) {
		char path[sizeof("/sys/class/net//phy80211") + sizeof(entry->d_name)];

		snprintf(path, sizeof(path), "/sys/class/net/%s/phy80211", entry->d_name);
		if (entry->d_name[0] == '.' || access(path, F_OK))
			continue;
		snprintf(name, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, entry->d_name);
		found = true;
	}
	if (all)
		closedir(all);
	return found;
}

/* Returns 0 or the errno of the ioctl. The socket is any datagram socket. */
static int set_interface(int socket, const char name[IFNAMSIZ], bool up)
{
	struct ifreq request = { 0 };

	memcpy(request.ifr_name, name, sizeof(request.ifr_name));
	if (ioctl(socket, SIOCGIFFLAGS, &request) < 0)
		return errno;
	if (up)
		request.ifr_flags |= IFF_UP;
	else
		request.ifr_flags &= ~IFF_UP;
	return ioctl(socket, SIOCSIFFLAGS, &request) < 0 ? errno : 0;
}

/* Looks every 10 ms, for at most so many seconds, until there is one or, not present, none. */
static bool interface_within(double seconds, bool present, char name[IFNAMSIZ])
{
	for (double end = now() + seconds; now() < end; usleep(10000))
		if (find_interface(name) == present)
			return true;
	return false;
}
