import { parsePhrases } from './parse.ts';

/** English lessons. The format is described in parse.ts. */
export const en = parsePhrases(`
@level: beginner | intermediate | advanced
@title: {topic} | {topic}: lesson {number} | Review: {topic} | {topic} with {name} | Practice: {topic}
@welcome: Topic of this lesson: {topic}. Level: {level}. | Lesson {number}, {level} level: {topic}. | New lesson: {topic} ({level}).
@praise: Very good! | Well done! | Exactly. | That was almost perfect. | Great sentence! | I see. | Good, thank you. | Nice pronunciation! | Well done! {name} needed {number} lessons for that. | Good, you remembered the word from {day}.
@hesitation: Hmm… | Let me think… | Well… | Good question! | Sorry, one moment… | Okay.
@remark: Is that correct? | I learned that from {name}. | {name} explained it to me on {day}. | I heard that in {city}. | It took me {number} weeks to learn this sentence. | I practised it with {name} in {city}. | Last {day} I still made {number} mistakes in it. | {name} would say it differently, I think.
@name: Anna | Tom | Priya | James | Sofia | Ahmed | Grace | Mr Wilson | Mrs Clarke | Daniel
@city: London | Dublin | Edinburgh | Chicago | Toronto | Sydney | Bristol | Boston | Vancouver | Cardiff
@day: Monday | Tuesday | Wednesday | Thursday | Friday | Saturday | Sunday
@time: half past seven | quarter to nine | ten o'clock | noon | twenty past two | five in the afternoon | eight in the evening
@number: two | three | four | five | six | seven | eight | nine | ten | eleven | twelve

# Opening
Hello! How are you today? >> I'm fine, thanks. A bit tired, because I worked until {time}.
Good to see you again. How was your {day}? >> It was good, I met {name} in {city}.
Welcome back! Are you ready to start? >> Yes, I'm ready. I have about {number} minutes before my bus comes.
Hi! Did you do the homework from {day}? >> Yes, I wrote {number} sentences, but I'm not sure about the verbs.

# Aside
Could you say that again a little more slowly? >> Of course, I will try to speak more clearly.
Try the same sentence in the past tense, please. >> Yesterday I did the same thing, but with {name}.
Do you know another word for that? >> No, I forgot it. Could you write it down for me?
Careful: we say "I have been here for {number} days". >> Oh yes! I have been here for {number} days.
Can you make a question from that sentence? >> Do you always do that on {day}?

# Closing
That's all for today. See you on {day}! >> Thank you, see you on {day}. Bye!
Excellent work. Please learn the {number} new words. >> I will. Thanks for the lesson!
Shall we continue on {day} at {time}? >> Yes, {day} at {time} is perfect for me.

# At the restaurant
@dish: the grilled salmon | the vegetable soup | the mushroom risotto | a cheese omelette | the fish and chips | a chicken curry | the roast lamb | a green salad
@drink: a glass of red wine | sparkling water | an orange juice | a pot of tea | a small beer | tap water | a lemonade
@dessert: the apple crumble | chocolate cake | a lemon tart | vanilla ice cream | the cheesecake
Good evening, do you have a reservation? >> Yes, a table for {number} at {time}. My name is {name}.
What would you like to eat? >> I would like {dish}, please, and {drink}.
And what would you like to drink? >> Could I have {drink}, please?
Are you allergic to anything? >> Yes, I can't eat nuts, so is {dish} all right for me?
How was your meal? >> The food was delicious, but {dish} was a little too salty.
Would you like a dessert? >> Yes, I'll take {dessert} with {number} spoons, please.
How do you ask for the bill politely? >> Could we have the bill, please? We would like to pay by card.

# Travelling by train
@ticket: a single ticket | a return ticket | a first-class ticket | a student ticket | a weekend pass
@problem: the train was cancelled | I missed my connection | somebody was sitting in my seat | the train was an hour late | I lost my ticket
Where would you like to go? >> I need {ticket} to {city}, for {day} morning.
When does the next train to {city} leave? >> It leaves at {time} from platform {number}.
Do you have to change trains? >> Yes, I have to change in {city} and wait for {number} minutes.
Tell me about your last journey. >> I travelled to {city} with {name}, and {problem}.
Would you rather sit by the window? >> Yes, please. I like looking at the countryside near {city}.
What did you do when you had a problem? >> When {problem}, I asked the conductor for help.
How long does the journey to {city} take? >> It takes about {number} hours, if there are no delays.

# At the doctor
@pain: a sore throat | a terrible headache | a pain in my back | a high temperature | a bad cough | an upset stomach | a swollen ankle
@advice: drink more water | stay in bed | take these tablets twice a day | avoid heavy meals | put some ice on it | come back next week
What seems to be the problem? >> I have had {pain} for {number} days.
Are you taking any medicine? >> Only something for {pain}, from the pharmacy.
When did it start? >> It started on {day}, after I came back from {city}.
What would a doctor say about {pain}? >> You should {advice} and rest for {number} days.
Would you like to make an appointment? >> Yes, is {day} at {time} possible?
Do you need a note for your employer? >> Yes, please, because I can't work until {day}.
What should your friend do? >> If she has {pain}, she should {advice}.

# Family and friends
@relative: my older sister | my grandfather | my cousin | my little brother | my aunt | my best friend | my mother-in-law | my niece
@trait: patient and funny | very shy | always late | good at listening | a bit stubborn | generous | interested in everything
Tell me about somebody in your family. >> I want to describe {relative}, who is {trait}.
How many people are there in your family? >> There are {number} of us, and most of us live in {city}.
Who do you look like? >> People say that I look like {relative}.
What does your family do at the weekend? >> On {day} we usually have lunch with {relative} at {time}.
How did you meet your best friend? >> We met in {city}, {number} years ago, at a language course.
How would {name} describe you? >> I think {name} would say that I'm {trait}.
Who do you call when you need help? >> I call {relative}, because we understand each other well.

# Looking for a flat
@room: a bright kitchen | two bedrooms | a balcony | a large living room | a small garden | a new bathroom | space for my bicycle
@fault: the heating doesn't work | the neighbours are noisy | the window is broken | the lift is out of order | the rent is too high
What kind of flat are you looking for? >> I'm looking for a flat in {city} with {room}.
How much rent can you pay? >> Not more than I pay now in {city}, including heating.
What do you ask the landlord first? >> I ask if there is {room} and when I can move in.
What is wrong with your flat now? >> I want to leave because {fault}.
When could you visit the flat? >> I could come on {day} at {time}, together with {name}.
How would you complain politely? >> Excuse me, I'm calling because {fault}. Could you send somebody?
Describe your favourite room. >> I love {room}, because there is a lot of light in the morning.

# Work and interviews
@job: a nurse | a software developer | an accountant | a teacher | a bus driver | a shop assistant | an engineer | a journalist
@strength: I learn quickly | I like working in a team | I speak three languages | I stay calm under pressure | I am well organised
What do you do for a living? >> I work as {job} for a small company in {city}.
Why are you interested in this position? >> Because I have been {job} for {number} years and I want a new challenge.
What are your strengths? >> I would say that {strength}.
Describe a normal day at work. >> I start at {time}, and on {day} we have a meeting with {name}.
Where do you see yourself in {number} years? >> I hope to be {job} with more responsibility, perhaps in {city}.
Have you ever worked abroad? >> Yes, I worked in {city} for {number} months as {job}.
What would your boss say about you? >> My boss would say that {strength}, and I agree.

# Shopping and clothes
@item: a winter coat | a pair of black shoes | a blue shirt | a raincoat | a warm jumper | a leather bag | a pair of jeans | a silk scarf
@reason: it is too tight | the colour doesn't suit me | there is a hole in it | I bought the wrong size | I changed my mind
Can I help you? >> Yes, I'm looking for {item} for {name}.
What size do you need? >> I think I need a size {number}, but may I try it on?
Is it all right? >> Not really, {reason}. Do you have another one?
Would you like to return something? >> Yes, I bought {item} on {day}, but {reason}.
Where do you usually buy your clothes? >> There is a small shop in {city} where I found {item}.
How would you ask for a discount? >> If I buy {number} of them, could you make me a better price?
What did you buy last week? >> I bought {item}, because the evenings are getting cold.

# Weather and seasons
@weather: it was pouring with rain | the sun came out | it was freezing cold | there was thick fog | a storm was coming | it snowed all night
@plan: go for a long walk | have a picnic | stay at home and read | visit the museum | swim in the sea | ride our bicycles
What's the weather like in {city}? >> On {day} {weather}, but today it is mild.
Which season do you like best? >> I like autumn best, because we can {plan}.
What do you do when it rains? >> When it rains on {day}, we usually {plan}.
Tell me about a day with bad weather. >> {name} and I were walking home when {weather}.
What are your plans for {day}? >> If the weather is nice, we are going to {plan}.
Is the climate in your country different? >> Yes, in summer it is much hotter than in {city}.
What does the forecast say? >> It says that we will have {number} degrees and some wind.

# Finding the way
@place: the town hall | the nearest pharmacy | the central station | the post office | the art museum | the swimming pool | the old bridge | the library
@turn: turn left at the traffic lights | go straight on | take the second street on the right | cross the square | walk past the church
Excuse me, how do I get to {place}? >> Just {turn} and you will see it after {number} minutes.
Is {place} far from here? >> No, it's only {number} minutes on foot.
What did {name} tell you? >> I should {turn} and then ask again near {place}.
Which bus goes to {place}? >> Take bus number {number} and get off at {place}.
Where shall we meet on {day}? >> Let's meet in front of {place} at {time}.
What do you say if you are lost? >> Excuse me, I'm lost. I am looking for {place}.
Repeat the directions, please. >> First I {turn}, and {place} is on the other side.

# Free time and hobbies
@hobby: playing the guitar | painting landscapes | running in the park | baking bread | learning to dance | watching old films | growing tomatoes | chess
@feeling: it helps me to relax | I meet interesting people | it makes me happy | I am finally getting better at it | my children enjoy it too
What do you do in your free time? >> I enjoy {hobby}, because {feeling}.
How often do you do that? >> About {number} times a month, usually on {day}.
When did you begin? >> I began with {hobby} {number} years ago, when I lived in {city}.
Who do you do it with? >> With {name}. We meet at {time} every {day}.
What would you like to try? >> I have always been interested in {hobby}.
Would you recommend it to a friend? >> Yes, I told {name} about {hobby}, and now we do it together.
Why is it important to you? >> I have a stressful job, and {feeling}.
`);
